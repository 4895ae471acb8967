package io.github.ema4j;

/** A {@link Progress} that moves on in place, so that an update allocates none. Not thread-safe. */
final class MovingProgress {
  long updates;
  long time;
  long pending;
  int microSteps;
  long skipped;
  double decay;
  double startWeight;
  double logDecayProduct;

  /** Starts where a progress is. */
  MovingProgress(Progress start) {
    set(start);
  }

  void set(Progress other) {
    updates = other.updates();
    time = other.time();
    pending = other.pending();
    microSteps = other.microSteps();
    skipped = other.skipped();
    decay = other.decay();
    startWeight = other.startWeight();
    logDecayProduct = other.logDecayProduct();
  }

  void set(MovingProgress other) {
    updates = other.updates;
    time = other.time;
    pending = other.pending;
    microSteps = other.microSteps;
    skipped = other.skipped;
    decay = other.decay;
    startWeight = other.startWeight;
    logDecayProduct = other.logDecayProduct;
  }

  /** Returns the progress as it is now. */
  Progress now() {
    return new Progress(
        updates, time, pending, microSteps, skipped, decay, startWeight, logDecayProduct);
  }
}
