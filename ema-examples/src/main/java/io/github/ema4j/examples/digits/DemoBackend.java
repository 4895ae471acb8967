package io.github.ema4j.examples.digits;

import io.github.ema4j.AverageListener;

/** A framework that the demo can train with. */
interface DemoBackend {
  /** The optimiser's momentum. */
  double MOMENTUM = 0.9;

  /** The channels of the first convolution. */
  int FIRST_CHANNELS = 16;

  /** The channels of the second convolution. */
  int SECOND_CHANNELS = 32;

  /**
   * Builds network, optimiser and average.
   *
   * <p>The network: two 3x3 convolutions without padding, of 16 and 32 channels, each with batch
   * norm and ReLU, then a linear layer with an output for each class. Weights start uniformly in
   * {@code ±1/sqrt(inputs of the unit)}, drawn from the seed. The optimiser: SGD with momentum
   * {@link #MOMENTUM} at the configured, constant rate, on the mean softmax cross entropy of a
   * batch.
   *
   * @param side how many pixels an image is wide and high
   * @param classes how many classes there are
   * @param listener who hears of the average's updates
   * @throws InputException if the backend cannot keep an average as configured
   */
  DemoSession start(DemoConfig config, int side, int classes, AverageListener listener);
}
