package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import io.github.ema4j.ModelEma;
import io.github.ema4j.testkit.Allocations;
import org.junit.jupiter.api.Test;

/** An update does not put the parameters' names together again. */
class DjlAllocationTest {
  private static final int LAYERS = 40;
  private static final int DEPTH = 5;

  @Test
  void anUpdateAllocatesAtMost256BytesForEachArrayHoweverDeepItIs() {
    try (Model model = Model.newInstance("deep")) {
      Block block = deep();
      model.setBlock(block);
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
      try (ModelEma<Block> ema = ModelEma.builder(DjlAdapter.instance()).build(block)) {
        long allowed = 256L * block.getParameters().size();
        assertThat(Allocations.least(() -> ema.update(block), 2_000, allowed))
            .isLessThanOrEqualTo(allowed);
      }
    }
  }

  private static Block deep() {
    SequentialBlock layers = new SequentialBlock();
    for (int i = 0; i < LAYERS; i++) {
      layers.add(Linear.builder().setUnits(4).build());
    }
    for (int i = 0; i < DEPTH; i++) {
      layers = new SequentialBlock().add(layers);
    }
    return layers;
  }
}
