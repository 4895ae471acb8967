package io.github.ema4j.cli;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.FileTensor;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** Reads and computes weights by means of its own, to compare the command's with. */
final class Values {

  private Values() {}

  /** Returns the elements of all tensors of some weights of a file, as doubles. */
  static Map<String, double[]> of(Path file, String weights) throws IOException {
    Map<String, double[]> values = new LinkedHashMap<>();
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      checkpoint.verify();
      for (Entry<FileTensor> entry : checkpoint.weights(weights).entries()) {
        values.put(entry.name(), of(entry.tensor()));
      }
    }
    return values;
  }

  private static double[] of(FileTensor tensor) {
    ElementType type = tensor.spec().type();
    int size = (int) tensor.spec().elements();
    ByteBuffer bytes = ByteBuffer.allocate(size * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    tensor.read(0, bytes);
    double[] values = new double[size];
    for (int i = 0; i < size; i++) {
      int at = i * type.bytes();
      values[i] =
          switch (type) {
            case F64 -> bytes.getDouble(at);
            case F32 -> bytes.getFloat(at);
            case F16 -> half(bytes.getShort(at));
            case BF16 -> Float.intBitsToFloat(bytes.getShort(at) << 16);
            case I64 -> bytes.getLong(at);
            case I32 -> bytes.getInt(at);
            case I16 -> bytes.getShort(at);
            case I8, U8, BOOL -> bytes.get(at);
          };
    }
    return values;
  }

  /** Returns the value of a finite number of half precision. */
  private static double half(short bits) {
    int exponent = (bits >> 10) & 0x1f;
    int fraction = bits & 0x3ff;
    double magnitude =
        exponent == 0 ? fraction * 0x1p-24 : Math.scalb((double) (0x400 | fraction), exponent - 25);
    return bits < 0 ? -magnitude : magnitude;
  }

  /** Returns the bits of a value that half precision has. */
  private static short halfBits(double value) {
    int sign = value < 0 ? 0x8000 : 0;
    int exponent = Math.max(Math.getExponent(value), -14);
    int units = (int) Math.scalb(Math.abs(value), 10 - exponent);
    return (short) (sign | (units >= 0x400 ? ((exponent + 14) << 10) + units : units));
  }

  /**
   * Computes one element of an average: each product and each sum in decimal digits without end,
   * rounded to double, and in the end to the type.
   */
  static double average(ElementType type, double[] weights, double[] elements) {
    double sum = round(ElementType.F64, exact(weights[0]).multiply(exact(elements[0])));
    for (int i = 1; i < weights.length; i++) {
      double product = round(ElementType.F64, exact(weights[i]).multiply(exact(elements[i])));
      sum = round(ElementType.F64, exact(sum).add(exact(product)));
    }
    return round(type, exact(sum));
  }

  private static BigDecimal exact(double value) {
    return new BigDecimal(value);
  }

  /** Rounds to the nearest value of a type, to the even one of two. */
  private static double round(ElementType type, BigDecimal value) {
    int precision =
        switch (type) {
          case F64 -> 53;
          case F32 -> 24;
          case F16 -> 11;
          default -> 8;
        };
    int leastUnit =
        switch (type) {
          case F64 -> -1074;
          case F32 -> -149;
          case F16 -> -24;
          default -> -133;
        };
    if (value.signum() == 0) {
      return 0;
    }
    int exponent = Math.getExponent(value.doubleValue()); // at most one too high
    int unit = Math.max(exponent - precision + 1, leastUnit);
    BigDecimal scaled = scale(value, -unit);
    if (scaled.abs().compareTo(scale(BigDecimal.ONE, precision - 1)) < 0 && unit > leastUnit) {
      unit--;
      scaled = scale(value, -unit);
    }
    return scale(scaled.setScale(0, RoundingMode.HALF_EVEN), unit).doubleValue();
  }

  private static BigDecimal scale(BigDecimal value, int power) {
    BigDecimal two = BigDecimal.valueOf(2);
    return power >= 0
        ? value.multiply(two.pow(power))
        : value.multiply(BigDecimal.valueOf(5).pow(-power)).scaleByPowerOfTen(power);
  }

  /** Returns a model of every floating type, several sizes, and a counter. */
  static StateDict<ArrayTensor> model(Random random) {
    StateDict.Builder<ArrayTensor> model = StateDict.builder(ArrayBackend.instance());
    for (int size : new int[] {0, 1, 100, 2000}) {
      model.parameter("f32." + size, floats(random, size));
      double[] doubles = random.doubles(size, -1, 1).toArray();
      model.parameter("f64." + size, ArrayTensor.of(doubles, size));
      short[] halves = new short[size];
      short[] bfloats = new short[size];
      for (int i = 0; i < size; i++) {
        halves[i] = halfBits(random.nextInt(2048) / 1024.0 * Math.scalb(1.0, -random.nextInt(9)));
        bfloats[i] = (short) (Float.floatToRawIntBits((float) random.nextGaussian()) >>> 16);
      }
      model.parameter("f16." + size, ArrayTensor.of(ElementType.F16, halves, size));
      model.parameter("bf16." + size, ArrayTensor.of(ElementType.BF16, bfloats, size));
    }
    return model.counter("n", ArrayTensor.of(new long[] {random.nextLong()})).build();
  }

  /** Returns other values for tensors of the same names, types and shapes. */
  static StateDict<ArrayTensor> like(StateDict<FileTensor> state, Random random) {
    StateDict.Builder<ArrayTensor> like = StateDict.builder(ArrayBackend.instance());
    for (Entry<FileTensor> entry : state.entries()) {
      TensorSpec spec = entry.spec();
      int size = (int) spec.elements();
      long[] shape = spec.shape().toArray();
      like.add(
          entry.name(),
          spec.type() == ElementType.F32
              ? ArrayTensor.of((float[]) floats(random, size).array(), shape)
              : ArrayTensor.of(random.longs(size).toArray(), shape),
          entry.role());
    }
    return like.build();
  }

  private static ArrayTensor floats(Random random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return ArrayTensor.of(values, size);
  }
}
