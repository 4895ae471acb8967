package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import java.util.List;
import java.util.Optional;

/**
 * A number that this project has set itself: a ratio of two times, of contenders that take turns.
 *
 * @param what in words
 * @param group where they take turns
 * @param dividend whose time is divided
 * @param divisor by whose time
 * @param factor by which the ratio is multiplied
 * @param bound what the result is held against
 * @param least whether the bound is the least that is wanted; the most otherwise
 */
record Claim(
    String what,
    String group,
    Side dividend,
    Side divisor,
    double factor,
    double bound,
    boolean least) {
  private static final String RESNET_50 = Names.updates(ModelShape.resNet50(), ElementType.F32);
  private static final String SMALL = Names.updates(ModelShape.small(), ElementType.F32);
  private static final Side TIMM = new Side(Names.TIMM, 1);
  private static final Side LERP = new Side(Names.LERP, 1);
  private static final Side FOREACH = new Side(Names.FOREACH_LERP, 1);
  private static final Side MEMCPY = new Side(Names.MEMCPY, 1);

  /** An update moves 12 bytes a parameter where memcpy moves 8. */
  private static final double BYTES_OVER_MEMCPY = 12.0 / 8;

  /** A contender on so many threads. */
  record Side(String contender, int threads) {}

  /** Returns all claims; each holds wherever both of its contenders took turns. */
  static ImmutableList<Claim> all() {
    ImmutableList.Builder<Claim> claims = ImmutableList.builder();
    for (Kernel kernel : Kernel.values()) {
      Side one = ours(kernel, 1);
      Side two = ours(kernel, 2);
      boolean simd = kernel == Kernel.SIMD;
      String name = kernel.label();
      claims.add(atLeast(simd ? 5 : 3, name + ": timm V2's time over ours", RESNET_50, TIMM, one));
      if (simd) {
        claims.add(atLeast(1.2, name + ": time of lerp_ over ours", RESNET_50, LERP, one));
        claims.add(
            atLeast(1.2, name + ": time of _foreach_lerp_ over ours", RESNET_50, FOREACH, one));
        claims.add(
            atLeast(1, name + ": our bytes a second over memcpy's", RESNET_50, MEMCPY, one)
                .times(BYTES_OVER_MEMCPY));
      }
      claims.add(atLeast(1.6, name + ": time of one thread over two", RESNET_50, one, two));
      claims.add(atMost(0.5, name + ": our time over _foreach_lerp_'s", SMALL, one, FOREACH));
      claims.add(
          atMost(
              0.75,
              name + ": time of the bank over four updates",
              Names.BANKS,
              new Side(Names.bank(kernel), 1),
              new Side(Names.singles(kernel), 1)));
      claims.add(linear(Names.update(kernel, Checks.CANARY)));
    }
    claims.add(linear(Names.MEMCPY));
    return claims.build();
  }

  private static Side ours(Kernel kernel, int threads) {
    return new Side(Names.update(kernel, Checks.CANARY), threads);
  }

  private static Claim linear(String contender) {
    return atMost(
            1.15,
            contender + ": time of a parameter of 1,000 M over that of 100 M",
            Names.LINEAR,
            new Side(Names.linear(contender, 1_000), 1),
            new Side(Names.linear(contender, 100), 1))
        .times(1.0 / 10);
  }

  private static Claim atLeast(
      double bound, String what, String group, Side dividend, Side divisor) {
    return new Claim(what, group, dividend, divisor, 1, bound, true);
  }

  private static Claim atMost(
      double bound, String what, String group, Side dividend, Side divisor) {
    return new Claim(what, group, dividend, divisor, 1, bound, false);
  }

  private Claim times(double newFactor) {
    return new Claim(what, group, dividend, divisor, newFactor, bound, least);
  }

  /** Returns the ratio among contenders that took turns; empty where one of the two did not. */
  Optional<Spread> ratio(List<Measurement> turns) {
    Optional<Measurement> first = find(turns, dividend);
    Optional<Measurement> second = find(turns, divisor);
    return first.isPresent() && second.isPresent()
        ? Optional.of(first.get().times(second.get()).scaled(factor))
        : Optional.empty();
  }

  private static Optional<Measurement> find(List<Measurement> turns, Side side) {
    return Measurement.find(turns, side.contender, side.threads);
  }

  /** Tells whether the median is on the right side of the bound. */
  boolean isMetBy(Spread ratio) {
    return least ? ratio.median() >= bound : ratio.median() <= bound;
  }
}
