package io.github.ema4j.examples;

import io.github.ema4j.Average;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaBank;
import io.github.ema4j.Swap;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Several averages of one training, of which the best is taken. */
public final class SeveralDecays {

  private SeveralDecays() {}

  /**
   * Trains a model, which ends with the weights of the best average.
   *
   * @param step trains the model by one step
   * @param loss is asked on data that were not trained on
   * @return which average that is
   */
  @SuppressWarnings("try") // the swap is there to be closed
  public static <M> String train(
      ModelAdapter<M, ?> adapter, M model, int steps, Consumer<M> step, ToDoubleFunction<M> loss) {
    String best = "";
    double least = Double.POSITIVE_INFINITY;
    // tag::bank[]
    try (EmaBank<M> bank =
        EmaBank.builder(adapter)
            .average("fast", DecaySchedule.constant(0.9))
            .average("medium", DecaySchedule.constant(0.99))
            .average("slow", DecaySchedule.constant(0.999))
            .build(model)) {
      for (int i = 0; i < steps; i++) {
        step.accept(model);
        bank.update(model); // all of them in one pass
      }
      for (String name : bank.averages().keySet()) {
        Average<M> average = bank.average(name);
        try (Swap swap = average.swapInto(model)) {
          double now = loss.applyAsDouble(model);
          best = now < least ? name : best;
          least = Math.min(now, least);
        }
      }
      bank.average(best).copyTo(model);
    }
    // end::bank[]
    return best;
  }
}
