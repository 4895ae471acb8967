package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.ordered;

import io.github.ema4j.ModelEma;
import io.github.ema4j.torch.TorchAdapter;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.global.torch;

/** A network that was written and scripted in Python, trained and averaged here. */
public final class AverageTorchScript {

  private AverageTorchScript() {}

  /**
   * Trains a TorchScript network and saves the averaged one, as TorchScript too.
   *
   * @param step trains the network by one step
   */
  @SuppressWarnings("try") // the scope is there to be closed
  public static void train(Path script, int steps, Consumer<JitModule> step, Path averaged) {
    // tag::torchscript[]
    JitModule network = torch.load(script.toString());
    try (ModelEma<JitModule> ema =
        ModelEma.builder(TorchAdapter.ofScripts()).strategy(ordered(0.99)).build(network)) {
      for (int i = 0; i < steps; i++) {
        try (PointerScope temporaries = new PointerScope()) {
          step.accept(network);
          ema.update(network);
        }
      }
      ema.module().save(averaged.toString());
    }
    // end::torchscript[]
  }
}
