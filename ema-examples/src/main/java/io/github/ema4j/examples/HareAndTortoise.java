package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.Consumer;

/** Trains fast weights that are called back to slow ones, on data that keep changing. */
public final class HareAndTortoise {

  private HareAndTortoise() {}

  /**
   * Trains a model, the hare, and evaluates its average, the tortoise, before each reset.
   *
   * @param period the number of steps between resets
   * @param pull how far a reset goes, in [0, 1]: 1 all the way
   * @param step trains the model by one step
   * @param evaluate looks at the model while it has the averaged weights
   */
  @SuppressWarnings("try") // the swap is there to be closed
  public static <M> void train(
      ModelAdapter<M, ?> adapter,
      M hare,
      int steps,
      int period,
      double pull,
      Consumer<M> step,
      Consumer<M> evaluate) {
    // tag::hareandtortoise[]
    try (ModelEma<M> tortoise =
        ModelEma.builder(adapter).strategy(nameMatched(0.999)).build(hare)) {
      for (int i = 1; i <= steps; i++) {
        step.accept(hare);
        tortoise.update(hare);
        if (i % period == 0) {
          try (Swap swap = tortoise.swapInto(hare)) {
            evaluate.accept(hare);
          }
          tortoise.copyTo(hare, pull);
        }
      }
    }
    // end::hareandtortoise[]
  }
}
