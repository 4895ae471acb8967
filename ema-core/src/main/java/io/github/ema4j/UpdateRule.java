package io.github.ema4j;

/**
 * A user's own update of one entry, in place on the framework's tensors: what timm's ModelEmaV2
 * takes in {@code _update}.
 *
 * @param <T> the framework's tensor type
 */
@FunctionalInterface
public interface UpdateRule<T> {

  /**
   * Updates one entry of the average. Runs without gradient recording, on the thread that called
   * {@link ModelEma#update(Object, Class, UpdateRule)}.
   *
   * @param average the average's tensor, to be written in place
   * @param model the model's tensor, only to be read
   * @param decay what the schedule says for this update, in [0, 1]
   */
  void apply(T average, T model, double decay);
}
