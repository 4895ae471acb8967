package io.github.ema4j.testkit;

import com.google.common.collect.ImmutableSet;
import io.github.ema4j.ElementType;
import java.util.Set;

/**
 * What a backend can do. A backend under test declares all that it can; rules about the rest check
 * that it refuses cleanly, or are skipped with the reason.
 *
 * <p>The types are those of {@link ElementType}: the backend has tensors of that type.
 */
public enum Capability {
  /** Single precision; mandatory. */
  F32,
  /** Double precision. */
  F64,
  /** IEEE half precision. */
  F16,
  /** Bfloat16. */
  BF16,
  /** 64-bit integers. */
  I64,
  /** 32-bit integers. */
  I32,
  /** 16-bit integers. */
  I16,
  /** 8-bit integers. */
  I8,
  /** Unsigned 8-bit integers. */
  U8,
  /** Truth values of one byte. */
  BOOL,
  /** What is written to a tensor's memory is in the tensor; mandatory. */
  IN_PLACE,
  /** Opening a tensor's memory copies no elements; mandatory. */
  ZERO_COPY,
  /** Tensors with no elements. */
  EMPTY,
  /** Tensors that are not row-major, such as transposed ones. */
  STRIDED,
  /** Models that have one tensor under several names, and list it as often. */
  TIED,
  /** {@code ModelAdapter.copy} copies a model. */
  COPY,
  /** Models whose tensors can be given other memory, as {@link BackendUnderTest#relocate} does. */
  MOVING,
  /** Native memory that is counted, as {@link BackendUnderTest#nativeBytes} tells. */
  COUNTED_MEMORY,
  /** Tensors of more than 2 GiB. */
  ABOVE_2_GIB,
  /** A device beside the host that is here now: {@link BackendUnderTest#otherDevice}. */
  OTHER_DEVICES,
  /** CUDA devices, where there is one. */
  CUDA;

  private static final Set<Capability> MANDATORY = ImmutableSet.of(F32, IN_PLACE, ZERO_COPY);

  /** Returns what every backend must be able to do. */
  public static Set<Capability> mandatory() {
    return MANDATORY;
  }

  /** Returns the capability of having tensors of a type. */
  public static Capability of(ElementType type) {
    return valueOf(type.name());
  }
}
