package io.github.ema4j.simd;

import io.github.ema4j.ElementType;
import io.github.ema4j.spi.RunKernel;
import java.lang.foreign.MemorySegment;
import java.nio.Buffer;

/** The arithmetic of averages on vectors: float32 and float64, and half-precision models. */
final class VectorKernel implements RunKernel {

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
  public void lerp(
      ElementType averageType,
      Buffer averages,
      int averageIndex,
      ElementType modelType,
      Buffer models,
      int modelIndex,
      int elements,
      double weight) {
    MemorySegment average = segment(averages, averageIndex, elements);
    MemorySegment model = segment(models, modelIndex, elements);
    switch (modelType) {
      case F32 -> FloatVectors.lerp(average, model, elements, (float) weight);
      case F64 -> DoubleVectors.lerp(average, model, elements, weight);
      case BF16 -> HalfVectors.lerp(average, model, elements, true, (float) weight);
      case F16 -> HalfVectors.lerp(average, model, elements, false, (float) weight);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    }
  }

  @Override
  public void weightedSum(
      ElementType averageType,
      Buffer averages,
      int averageIndex,
      ElementType modelType,
      Buffer models,
      int modelIndex,
      int elements,
      double decay,
      double weight) {
    MemorySegment average = segment(averages, averageIndex, elements);
    MemorySegment model = segment(models, modelIndex, elements);
    float d = (float) decay;
    float w = (float) weight;
    switch (modelType) {
      case F32 -> FloatVectors.weightedSum(average, model, elements, d, w);
      case F64 -> DoubleVectors.weightedSum(average, model, elements, decay, weight);
      case BF16 -> HalfVectors.weightedSum(average, model, elements, true, d, w);
      case F16 -> HalfVectors.weightedSum(average, model, elements, false, d, w);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    }
  }

  @Override
  public boolean isFinite(ElementType modelType, Buffer models, int modelIndex, int elements) {
    MemorySegment model = segment(models, modelIndex, elements);
    return switch (modelType) {
      case F32 -> Exponents.areFinite(model, elements, 0x7f80_0000);
      case F64 -> Exponents.areFinite(model, elements, 0x7ff0_0000_0000_0000L);
      case BF16 -> Exponents.areFinite(model, elements, (short) 0x7f80);
      case F16 -> Exponents.areFinite(model, elements, (short) 0x7c00);
      case I64, I32, I16, I8, U8, BOOL -> throw new AssertionError(modelType);
    };
  }

  private static MemorySegment segment(Buffer buffer, int index, int elements) {
    return MemorySegment.ofBuffer(buffer.slice(index, elements));
  }
}
