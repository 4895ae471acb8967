package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;

/** Models of every element type and several sizes, with seeded values. */
public final class SeededTensors {
  private static final int[] SIZES = {0, 1, 7, 1024, 1025, 2500};

  private SeededTensors() {}

  /** Returns a model with tensors of every type and size. */
  public static StateDict<ArrayTensor> ofAllTypes(Random random) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ArrayBackend.instance());
    for (ElementType type : ElementType.values()) {
      for (int size : SIZES) {
        Object array = KernelFixture.buffer(type, new double[size]).array();
        ArrayTensor tensor = ArrayTensor.of(type, array, size);
        dict.add(type + "-" + size, tensor, type.isFloating() ? Role.PARAMETER : Role.COUNTER);
      }
    }
    StateDict<ArrayTensor> model = dict.build();
    refill(model, random);
    return model;
  }

  /** Gives all elements new values. */
  public static void refill(StateDict<ArrayTensor> model, Random random) {
    for (StateDict.Entry<ArrayTensor> entry : model.entries()) {
      ElementType type = entry.spec().type();
      Buffer buffer = model.backend().memory(entry.tensor()).segmentAt(0);
      for (int i = 0; i < buffer.limit(); i++) {
        double value =
            switch (type) {
              case F64, F32, F16, BF16 -> random.nextGaussian();
              case BOOL -> random.nextInt(2);
              case I64, I32, I16, I8, U8 -> random.nextInt(100);
            };
        KernelFixture.put(type, buffer, i, value);
      }
    }
  }

  /** Checks that two state dicts hold the same bits in the same order. */
  public static void assertSameBits(StateDict<?> actual, StateDict<?> expected, String context) {
    assertThat(actual.entries()).hasSameSizeAs(expected.entries());
    for (int i = 0; i < actual.entries().size(); i++) {
      String name = expected.entries().get(i).name();
      assertThat(actual.entries().get(i).name()).isEqualTo(name);
      assertThat(bits(actual, i)).as("%s: %s", context, name).isEqualTo(bits(expected, i));
    }
  }

  private static <T> List<Long> bits(StateDict<T> dict, int index) {
    StateDict.Entry<T> entry = dict.entries().get(index);
    TensorBackend<T> backend = dict.backend();
    HostMemory memory = backend.memory(entry.tensor());
    return LongStream.range(0, memory.elements())
        .mapToObj(at -> Elements.bits(memory, entry.spec().type(), at))
        .toList();
  }
}
