package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.examples.AddEmaToLibTorch.Net;
import io.github.ema4j.torch.TorchAdapter;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/**
 * A network that its framework cannot copy. The average needs no copy; a network that works with
 * the averaged weights, beside the one that trains, is made by the program.
 */
public final class AverageWithoutCopy {

  private AverageWithoutCopy() {}

  /**
   * Trains a network.
   *
   * @param step trains the network by one step
   * @return what an evaluation of the averaged weights said
   */
  public static double train(
      Net net, int steps, Consumer<Net> step, ToDoubleFunction<Net> evaluation) {
    // tag::supplier[]
    try (ModelEma<Net> ema =
        ModelEma.builder(TorchAdapter.of(Net.class))
            .strategy(nameMatched(0.9))
            .module(() -> new Net(2, 1)) // of the same shape; its weights do not matter
            .build(net)) {
      for (int i = 0; i < steps; i++) {
        step.accept(net);
        ema.update(net);
      }
      return evaluation.applyAsDouble(ema.module()); // the network goes on undisturbed
    }
    // end::supplier[]
  }
}
