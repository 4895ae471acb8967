package io.github.ema4j;

/** Names the element types that tensors have, as safetensors files name them. */
public enum ElementType {
  /** IEEE 754 double precision. */
  F64(8, true),
  /** IEEE 754 single precision. */
  F32(4, true),
  /** IEEE 754 half precision. */
  F16(2, true),
  /** The upper half of a single: 8 bits of exponent, 7 of fraction. */
  BF16(2, true),
  /** Signed 64-bit integer. */
  I64(8, false),
  /** Signed 32-bit integer. */
  I32(4, false),
  /** Signed 16-bit integer. */
  I16(2, false),
  /** Signed 8-bit integer. */
  I8(1, false),
  /** Unsigned 8-bit integer. */
  U8(1, false),
  /** One byte, zero or one. */
  BOOL(1, false);

  private final int bytes;
  private final boolean floating;

  ElementType(int bytes, boolean floating) {
    this.bytes = bytes;
    this.floating = floating;
  }

  /** Returns the size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** Tells whether elements are floating-point numbers (of any precision). */
  public boolean isFloating() {
    return floating;
  }

  /** Tells whether elements are 16-bit floating-point numbers. */
  public boolean isHalf() {
    return this == F16 || this == BF16;
  }
}
