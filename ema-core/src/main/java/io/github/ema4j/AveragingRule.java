package io.github.ema4j;

/**
 * Names the arithmetic of one update of an element, with average {@code e}, model {@code m}, decay
 * {@code d} and weight {@code w = 1 - d}.
 *
 * <p>Both rules are exact: the same bits on every CPU, JDK and backend. Scalars are computed in
 * double and rounded once to the type of the arithmetic: double for a float64 average, float for
 * all others. A half-precision average is widened, and rounded once when it is stored, unless the
 * rule says otherwise.
 */
public enum AveragingRule {
  /**
   * {@code w < 0.5 ? fma(w, m - e, e) : fma(-(m - e), 1 - w, m)}: bit for bit what LibTorch's
   * {@code lerp_} computes on a CPU with FMA, thus timm's ModelEmaV3 and torch's AveragedModel. Its
   * gain is exactly 1: the average of a constant is that constant.
   */
  LERP,
  /**
   * {@code e * d + w * m}, two products and a sum, each rounded: bit for bit timm 0.6.11's ModelEma
   * and ModelEmaV2. The two rounded scalars do not add up to 1, so the average of a constant drifts
   * towards a fraction of it (.99983 at a decay of .9999) until rounding holds it. For a
   * half-precision average scalars, products and sum are each rounded to its type, as PyTorch does.
   */
  WEIGHTED_SUM
}
