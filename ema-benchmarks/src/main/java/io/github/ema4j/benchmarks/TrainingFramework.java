package io.github.ema4j.benchmarks;

/**
 * A framework that trains.
 *
 * @param <M> its model type
 * @param <T> its tensor type
 */
interface TrainingFramework<M, T> extends Framework<M, T> {

  /** What the demo calls it. */
  String demoName();

  /** Starts a training, a tiny one for smoke runs. */
  Training training(boolean tiny);

  /** A network in training, with an average of it. */
  interface Training extends AutoCloseable {

    /** Says what is trained. */
    String description();

    /** Takes one step of the optimiser on a batch. */
    void step();

    /** Updates the average. */
    void update();

    @Override
    void close();
  }
}
