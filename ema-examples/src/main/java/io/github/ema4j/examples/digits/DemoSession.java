package io.github.ema4j.examples.digits;

/** One network in training, with its average. Not thread-safe. */
interface DemoSession extends AutoCloseable {

  /**
   * Takes one step of the optimiser on a batch, then updates the average.
   *
   * @return the mean loss of the batch, before the step
   */
  double train(Images batch);

  /** Returns the part of some images that the network labels right, in evaluation mode. */
  double accuracy(Images images);

  /** Returns the part of some images that the network labels right on its averaged weights. */
  double averagedAccuracy(Images images);

  /**
   * Starts averages beside the session's own.
   *
   * @param decays which; the advisor's own choice if there are none
   */
  DemoTrial<?> trial(double... decays);

  /** Frees network, optimiser and average. */
  @Override
  void close();
}
