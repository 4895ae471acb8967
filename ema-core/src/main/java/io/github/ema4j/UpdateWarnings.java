package io.github.ema4j;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.internal.Blend;
import io.github.ema4j.internal.TensorPairs;
import java.util.EnumSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs, once each, what a user would want to know about an average that goes on all the same. */
final class UpdateWarnings {
  private static final Logger LOG = LoggerFactory.getLogger(ModelEma.class);
  private static final double TOLERATED_GAIN_ERROR = 1e-4;

  private final AveragingRule rule;
  private final ImmutableList<ElementType> shadowTypes;
  private final EnumSet<ElementType> stalled = EnumSet.noneOf(ElementType.class);
  private boolean gainWarned;
  private boolean canarySings;
  private long lastFingerprint;

  /**
   * Starts watching an average.
   *
   * @param canary whether to warn of a model that does not move
   * @param shadowTypes the types in which floating-point entries are averaged
   */
  UpdateWarnings(AveragingRule rule, boolean canary, Set<ElementType> shadowTypes) {
    this.rule = rule;
    this.shadowTypes = ImmutableList.copyOf(shadowTypes);
    canarySings = canary;
  }

  /** Takes note of the model that the average is a copy of now. */
  void started(TensorPairs<?, ?>.Opened tensors) {
    if (canarySings) {
      lastFingerprint = tensors.fingerprint();
    }
  }

  /** Warns of what was amiss with an update. */
  void updated(TensorPairs<?, ?>.Opened tensors, Blend blend) {
    if (canarySings) {
      modelSeen(tensors.fingerprint());
    }
    for (int k = 0; k < blend.averages(); k++) {
      for (int i = 0; i < shadowTypes.size(); i++) {
        warnOfStall(shadowTypes.get(i), blend.decay(k));
      }
      warnOfGain(blend.decay(k));
    }
  }

  private void modelSeen(long fingerprint) {
    if (fingerprint != 0 && fingerprint == lastFingerprint) {
      canarySings = false;
      LOG.warn(
          "The model has not moved since the average was last updated (or started): call update"
              + " once after each step of the optimiser; or the optimiser does nothing");
    }
    lastFingerprint = fingerprint;
  }

  private void warnOfStall(ElementType type, double decay) {
    double weight = 1 - decay;
    if (weight > 0 && weight < unitRoundoff(type) && stalled.add(type)) {
      LOG.warn(
          "Averages kept in {} stall at decay {}: an update moves them by {} of the way, less than"
              + " half a unit in the last place ({}); keep them in {}",
          type,
          decay,
          weight,
          unitRoundoff(type),
          type.isHalf() ? "F32 or F64" : "F64");
    }
  }

  private void warnOfGain(double decay) {
    double gainError = gainError(decay);
    if (rule == AveragingRule.WEIGHTED_SUM && gainError > TOLERATED_GAIN_ERROR && !gainWarned) {
      gainWarned = true;
      LOG.warn(
          "At decay {} the rule weighted-sum does not keep a constant: its gain is off by {}; the"
              + " rule lerp has none",
          decay,
          gainError);
    }
  }

  /** Returns by how much {@code fl(1 - d) / (1 - fl(d))} differs from 1; 0 for a decay of 1. */
  static double gainError(double decay) {
    double rest = 1 - (double) (float) decay;
    return rest == 0 ? 0 : Math.abs((double) (float) (1 - decay) / rest - 1);
  }

  /** Returns half a unit in the last place of 1. */
  static double unitRoundoff(ElementType type) {
    return switch (type) {
      case F64 -> 0x1p-53;
      case F32 -> 0x1p-24;
      case F16 -> 0x1p-11;
      case BF16 -> 0x1p-8;
      case I64, I32, I16, I8, U8, BOOL -> 0;
    };
  }
}
