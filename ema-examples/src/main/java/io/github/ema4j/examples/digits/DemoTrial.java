package io.github.ema4j.examples.digits;

import io.github.ema4j.Advice;
import io.github.ema4j.EmaAdvisor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.ToDoubleFunction;

/**
 * Averages of several decays beside a training.
 *
 * @param advisor keeps them; closed with the trial
 * @param model what is trained
 * @param accuracy tells what part of some images the model labels right
 * @param <M> the framework's model type
 */
record DemoTrial<M>(EmaAdvisor<M> advisor, M model, ToDoubleFunction<Images> accuracy)
    implements AutoCloseable {

  static <M> DemoTrial<M> of(
      ModelAdapter<M, ?> adapter, M model, ToDoubleFunction<Images> accuracy, double... decays) {
    EmaAdvisor.Builder<M> builder = EmaAdvisor.builder(adapter);
    if (decays.length > 0) {
      builder.decays(decays);
    }
    return new DemoTrial<>(builder.build(model), model, accuracy);
  }

  /** Takes note of a step. */
  void update() {
    advisor.update(model);
  }

  /** Evaluates all averages. */
  void evaluate(Images images) {
    advisor.evaluate(model, evaluated -> accuracy.applyAsDouble(images));
  }

  Advice advice() {
    return advisor.advice();
  }

  @Override
  public void close() {
    advisor.close();
  }
}
