package io.github.ema4j.simd;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.RunKernel;
import java.lang.foreign.MemorySegment;
import java.nio.Buffer;

/** The arithmetic of averages on vectors: float32 and float64, and half-precision models. */
final class VectorKernel implements RunKernel<MemorySegment> {
  /**
   * So many elements stay in the first-level cache until their subnormal numbers are looked for.
   */
  private static final int FLUSHED = 2048;

  @Override
  public String name() {
    return "simd";
  }

  @Override
  public boolean takes(ElementType averageType, ElementType modelType) {
    return switch (averageType) {
      case F32 -> modelType == ElementType.F32 || modelType.isHalf();
      case F64 -> modelType == ElementType.F64;
      case F16, BF16, I64, I32, I16, I8, U8, BOOL -> false;
    };
  }

  @Override
  public MemorySegment view(Buffer buffer) {
    Buffer whole = buffer.duplicate();
    return MemorySegment.ofBuffer(whole.clear());
  }

  @Override
  public void lerp(
      ElementType averageType,
      MemorySegment averages,
      int averageIndex,
      ElementType modelType,
      MemorySegment models,
      int modelIndex,
      int elements,
      double weight,
      boolean flush) {
    if (flush) {
      for (int i = 0; i < elements; i += FLUSHED) {
        int n = Math.min(FLUSHED, elements - i);
        int average = averageIndex + i;
        lerp(averageType, averages, average, modelType, models, modelIndex + i, n, weight, false);
        flush(averageType, averages, average, n);
      }
      return;
    }
    long e = at(averageType, averageIndex);
    long m = at(modelType, modelIndex);
    float w = (float) weight;
    switch (modelType) {
      case F32 -> FloatVectors.lerp(averages, e, models, m, elements, w);
      case F64 -> DoubleVectors.lerp(averages, e, models, m, elements, weight);
      case BF16 -> HalfVectors.lerp(averages, e, models, m, elements, true, w);
      case F16 -> HalfVectors.lerp(averages, e, models, m, elements, false, w);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    }
  }

  @Override
  public void weightedSum(
      ElementType averageType,
      MemorySegment averages,
      int averageIndex,
      ElementType modelType,
      MemorySegment models,
      int modelIndex,
      int elements,
      double decay,
      double weight,
      boolean flush) {
    if (flush) {
      for (int i = 0; i < elements; i += FLUSHED) {
        int n = Math.min(FLUSHED, elements - i);
        int average = averageIndex + i;
        int model = modelIndex + i;
        weightedSum(
            averageType, averages, average, modelType, models, model, n, decay, weight, false);
        flush(averageType, averages, average, n);
      }
      return;
    }
    long e = at(averageType, averageIndex);
    long m = at(modelType, modelIndex);
    float d = (float) decay;
    float w = (float) weight;
    switch (modelType) {
      case F32 -> FloatVectors.weightedSum(averages, e, models, m, elements, d, w);
      case F64 -> DoubleVectors.weightedSum(averages, e, models, m, elements, decay, weight);
      case BF16 -> HalfVectors.weightedSum(averages, e, models, m, elements, true, d, w);
      case F16 -> HalfVectors.weightedSum(averages, e, models, m, elements, false, d, w);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    }
  }

  private static void flush(ElementType type, MemorySegment averages, int index, int elements) {
    if (type == ElementType.F64) {
      DoubleVectors.flush(averages, at(type, index), elements);
    } else {
      FloatVectors.flush(averages, at(type, index), elements);
    }
  }

  @Override
  public boolean isFinite(
      ElementType modelType, MemorySegment models, int modelIndex, int elements) {
    long m = at(modelType, modelIndex);
    return switch (modelType) {
      case F32 -> Exponents.areFinite(models, m, elements, 0x7f80_0000);
      case F64 -> Exponents.areFinite(models, m, elements, 0x7ff0_0000_0000_0000L);
      case BF16 -> Exponents.areFinite(models, m, elements, (short) 0x7f80);
      case F16 -> Exponents.areFinite(models, m, elements, (short) 0x7c00);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    };
  }

  /** Returns at which byte of its segment an element is. */
  private static long at(ElementType type, int index) {
    return (long) index * type.bytes();
  }
}
