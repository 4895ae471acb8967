package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ModelEma;
import io.github.ema4j.testkit.Allocations;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

/** An update compares the module with what it was, and does not list it. */
class TorchAllocationTest {
  private static final int LAYERS = 50;

  @Test
  void anUpdateAllocatesAtMost256BytesForEachTensor() {
    Module net = new Module("net");
    for (int i = 0; i < LAYERS; i++) {
      net.register_module("linear" + i, new LinearImpl(3, 3));
    }
    assertAllocatesLittle(net, 2 * LAYERS);
  }

  @Test
  void anUpdateOfAModuleWithoutOthersAllocatesAtMost256BytesForEachTensor() {
    Module net = new Module("net");
    for (int i = 0; i < LAYERS; i++) {
      net.register_parameter("weight" + i, torch.ones(3));
    }
    assertAllocatesLittle(net, LAYERS);
  }

  private static void assertAllocatesLittle(Module net, int tensors) {
    try (ModelEma<Module> ema = ModelEma.builder(TorchAdapter.of(Module.class)).build(net)) {
      long allowed = 256L * tensors;
      assertThat(Allocations.least(() -> ema.update(net), 2_000, allowed))
          .isLessThanOrEqualTo(allowed);
    }
  }
}
