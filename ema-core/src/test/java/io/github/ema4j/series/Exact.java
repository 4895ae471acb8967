package io.github.ema4j.series;

import static java.math.BigDecimal.ONE;
import static java.math.BigDecimal.ZERO;

import java.math.BigDecimal;
import java.math.MathContext;

/** The definitions of the averages in decimal arithmetic: of what {@code x} has up to its end. */
final class Exact {
  static final MathContext DIGITS = new MathContext(50);

  private Exact() {}

  /** An average, told value by value. */
  interface Average {
    BigDecimal add(BigDecimal x);
  }

  static BigDecimal of(double x) {
    return new BigDecimal(x);
  }

  /** The mean of the last n; sums are exact, whatever is added and subtracted. */
  static Average simple(double[] stream, int window) {
    return new Average() {
      private BigDecimal sum = ZERO;
      private int k;

      @Override
      public BigDecimal add(BigDecimal x) {
        sum = sum.add(x);
        if (k >= window) {
          sum = sum.subtract(of(stream[k - window]));
        }
        k++;
        return sum.divide(BigDecimal.valueOf(Math.min(k, window)), DIGITS);
      }
    };
  }

  static Average linear(double[] stream, int window) {
    return new Average() {
      private BigDecimal sum = ZERO;
      private BigDecimal weighted = ZERO;
      private long k;

      @Override
      public BigDecimal add(BigDecimal x) {
        long n = Math.min(k + 1, window);
        weighted = weighted.add(x.multiply(BigDecimal.valueOf(n)));
        if (k >= window) {
          weighted = weighted.subtract(sum);
          sum = sum.subtract(of(stream[(int) (k - window)]));
        }
        sum = sum.add(x);
        k++;
        return weighted.divide(BigDecimal.valueOf(n * (n + 1) / 2), DIGITS);
      }
    };
  }

  static Average weighted(double[] stream, double... weights) {
    return new Average() {
      private int k;

      @Override
      public BigDecimal add(BigDecimal x) {
        BigDecimal sum = ZERO;
        BigDecimal total = ZERO;
        for (int age = 0; age <= Math.min(k, weights.length - 1); age++) {
          BigDecimal weight = of(weights[weights.length - 1 - age]);
          sum = sum.add(weight.multiply(of(stream[k - age])));
          total = total.add(weight);
        }
        k++;
        return sum.divide(total, DIGITS);
      }
    };
  }

  static Average exponential(double alpha) {
    return new Average() {
      private BigDecimal mean = ZERO;
      private boolean started;

      @Override
      public BigDecimal add(BigDecimal x) {
        mean = started ? mix(mean, x, of(alpha)) : x;
        started = true;
        return mean;
      }
    };
  }

  /** As the definition has it: from zero, divided by what the weights come to. */
  static Average biasCorrected(double alpha) {
    return biasCorrected(alpha, DIGITS);
  }

  private static Average biasCorrected(double alpha, MathContext digits) {
    return new Average() {
      private BigDecimal sum = ZERO;
      private BigDecimal start = ONE;

      @Override
      public BigDecimal add(BigDecimal x) {
        sum = sum.add(x.subtract(sum).multiply(of(alpha)), digits);
        start = start.multiply(ONE.subtract(of(alpha)), digits);
        return sum.divide(ONE.subtract(start), digits);
      }
    };
  }

  static Average adaptive(double alpha, double minAlpha, int shortWindow, int longWindow) {
    return new Average() {
      private final Variance recent = new Variance(Alpha.ofWindow(shortWindow));
      private final Variance usual = new Variance(Alpha.ofWindow(longWindow));
      private BigDecimal mean = ZERO;
      private boolean started;

      @Override
      public BigDecimal add(BigDecimal x) {
        BigDecimal s = recent.add(x);
        BigDecimal l = usual.add(x);
        BigDecimal ratio = l.signum() == 0 ? ONE : s.divide(l, DIGITS).sqrt(DIGITS);
        BigDecimal a = of(alpha).multiply(ratio, DIGITS).max(of(minAlpha)).min(ONE);
        mean = started ? mix(mean, x, a) : x;
        started = true;
        return mean;
      }
    };
  }

  /** The variance of all values so far by its definition, {@code E x^2 - (E x)^2}. */
  static final class Variance {
    private final Average squares;
    private final Average values;

    Variance(double alpha) {
      MathContext digits = new MathContext(120); // half of them cancel
      squares = biasCorrected(alpha, digits);
      values = biasCorrected(alpha, digits);
    }

    BigDecimal add(BigDecimal x) {
      BigDecimal mean = values.add(x);
      BigDecimal variance = squares.add(x.multiply(x)).subtract(mean.multiply(mean));
      // What is left of rounding, where all values are the same
      return variance.abs().compareTo(mean.multiply(mean).scaleByPowerOfTen(-40)) <= 0
          ? ZERO
          : variance;
    }
  }

  static Average kaufman(double[] stream, int window, int fast, int slow) {
    return new Average() {
      private BigDecimal mean = ZERO;
      private int k;

      @Override
      public BigDecimal add(BigDecimal x) {
        int first = Math.max(0, k - window);
        BigDecimal way = ZERO;
        for (int i = first + 1; i <= k; i++) {
          way = way.add(of(stream[i]).subtract(of(stream[i - 1])).abs());
        }
        BigDecimal distance = x.subtract(of(stream[first])).abs();
        BigDecimal efficiency = way.signum() == 0 ? ONE : distance.divide(way, DIGITS);
        BigDecimal slowest = alpha(slow);
        BigDecimal root = efficiency.multiply(alpha(fast).subtract(slowest)).add(slowest);
        mean = k == 0 ? x : mix(mean, x, root.multiply(root));
        k++;
        return mean;
      }
    };
  }

  /** The textbook's filter of a random walk: predict, then correct. */
  static Average kalman(double q, double r) {
    return new Average() {
      private BigDecimal mean = ZERO;
      private BigDecimal variance = ZERO;
      private boolean started;

      @Override
      public BigDecimal add(BigDecimal x) {
        if (!started) {
          started = true;
          mean = x;
          variance = of(r);
          return mean;
        }
        BigDecimal predicted = variance.add(of(q));
        BigDecimal gain = predicted.divide(predicted.add(of(r)), DIGITS);
        mean = mix(mean, x, gain);
        variance = ONE.subtract(gain).multiply(predicted, DIGITS);
        return mean;
      }
    };
  }

  private static BigDecimal alpha(int window) {
    return BigDecimal.valueOf(2).divide(BigDecimal.valueOf(window + 1L), DIGITS);
  }

  private static BigDecimal mix(BigDecimal mean, BigDecimal x, BigDecimal weight) {
    return mean.add(x.subtract(mean).multiply(weight), DIGITS);
  }
}
