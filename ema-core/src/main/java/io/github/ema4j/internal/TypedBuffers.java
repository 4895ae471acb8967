package io.github.ema4j.internal;

import io.github.ema4j.ElementType;
import java.nio.Buffer;
import java.nio.ByteBuffer;

/** Shows bytes as the elements that they are. */
public final class TypedBuffers {

  private TypedBuffers() {}

  /** Returns the remaining bytes as a buffer of the kind that holds a type, in their byte order. */
  public static Buffer of(ElementType type, ByteBuffer bytes) {
    return switch (type) {
      case F64 -> bytes.asDoubleBuffer();
      case F32 -> bytes.asFloatBuffer();
      case I64 -> bytes.asLongBuffer();
      case I32 -> bytes.asIntBuffer();
      case F16, BF16, I16 -> bytes.asShortBuffer();
      case I8, U8, BOOL -> bytes;
    };
  }
}
