package io.github.ema4j;

import org.jspecify.annotations.Nullable;

/** Says in which type averaged floating-point entries are kept. */
public enum ShadowType {
  /**
   * Float32 for half-precision entries, the model's own type for others. Anything less than float32
   * stalls: at usual decays an update is smaller than half a unit in the last place and is lost.
   */
  AUTO(null),
  /** The model's own type, as timm keeps it; half-precision averages stall. */
  MODEL(null),
  /** Float64 for all. */
  F64(ElementType.F64),
  /** Float32 for all. */
  F32(ElementType.F32),
  /** Half precision for all. */
  F16(ElementType.F16),
  /** Bfloat16 for all. */
  BF16(ElementType.BF16);

  private final @Nullable ElementType named;

  ShadowType(@Nullable ElementType named) {
    this.named = named;
  }

  /**
   * Tells whether one type is named for all entries; a model that changes its own is followed then.
   */
  boolean isNamed() {
    return named != null;
  }

  /** Returns the type in which an averaged entry of a model is kept. */
  ElementType of(ElementType model) {
    if (!model.isFloating()) {
      return model;
    }
    if (named != null) {
      return named;
    }
    return this == AUTO && model.isHalf() ? ElementType.F32 : model;
  }
}
