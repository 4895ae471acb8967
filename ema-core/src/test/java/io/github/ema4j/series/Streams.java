package io.github.ema4j.series;

import java.util.SplittableRandom;

/** Streams of numbers to average, some of them nasty. */
enum Streams {
  NOISE {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return random.nextDouble() * 2 - 1;
    }
  },
  WALK {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return before + random.nextDouble() - 0.5;
    }
  },
  /** A large mean under a small noise. */
  OFFSET {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return 1e9 + random.nextDouble();
    }
  },
  /** One value in a hundred is larger than all others by far. */
  SPIKES {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return random.nextInt(100) == 0 ? 1e30 * (random.nextDouble() - 0.5) : random.nextDouble();
    }
  },
  /** Values that cancel one another. */
  ALTERNATING {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return (k % 2 == 0 ? 1 : -1) * (1 + random.nextDouble() / 1e6);
    }
  },
  /** Stretches without any change. */
  STEPS {
    @Override
    double next(SplittableRandom random, double before, int k) {
      return random.nextInt(40) == 0 ? random.nextInt(10) / 10.0 : before;
    }
  };

  abstract double next(SplittableRandom random, double before, int k);

  double[] values(long seed, int length) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] values = new double[length];
    double value = 0;
    for (int k = 0; k < length; k++) {
      value = next(random, value, k);
      values[k] = value;
    }
    return values;
  }
}
