package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RowMajorReaderTest {

  /** Beside a walk that computes each element's place. */
  @ParameterizedTest
  @EnumSource
  void anyLayoutIsReadInRowMajorOrder(ElementType type) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      ArrayTensor tensor = randomTensor(type, random);
      int pieceBytes = 8 + random.nextInt(100);

      assertThat(read(tensor, pieceBytes))
          .as("seed %d, round %d: %s in %d", seed, round, tensor.spec(), pieceBytes)
          .isEqualTo(expected(tensor));
    }
  }

  private static byte[] read(ArrayTensor tensor, int pieceBytes) throws IOException {
    Entry<ArrayTensor> entry = new Entry<>("x", tensor, tensor.spec(), Role.PARAMETER);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new RowMajorReader(pieceBytes)
        .read(
            new Tensors<>("model", ArrayBackend.instance(), List.of(entry)),
            entry,
            piece -> {
              assertThat(piece.remaining()).isBetween(1, pieceBytes);
              byte[] some = new byte[piece.remaining()];
              piece.get(some);
              bytes.writeBytes(some);
            });
    return bytes.toByteArray();
  }

  private static byte[] expected(ArrayTensor tensor) {
    TensorSpec spec = tensor.spec();
    int size = spec.type().bytes();
    ByteBuffer bytes =
        ByteBuffer.allocate((int) spec.elements() * size).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < spec.elements(); i++) {
      long offset = 0;
      long rest = i;
      for (int d = spec.shape().length() - 1; d >= 0; d--) {
        offset += rest % spec.shape().get(d) * spec.strides().get(d);
        rest /= spec.shape().get(d);
      }
      long bits = Elements.bits(ArrayBackend.instance().memory(tensor), spec.type(), offset);
      for (int b = 0; b < size; b++) {
        bytes.put((byte) (bits >>> (8 * b)));
      }
    }
    return bytes.array();
  }

  /** A permuted slice of some array. */
  private static ArrayTensor randomTensor(ElementType type, Random random) {
    int rank = random.nextInt(5);
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < rank; d++) {
      order.add(d);
    }
    Collections.shuffle(order, random);
    long[] shape = new long[rank];
    long[] strides = new long[rank];
    long stride = 1L + random.nextInt(2);
    for (int d : order) {
      shape[d] = random.nextInt(8) == 0 ? 0 : 1L + random.nextInt(6);
      strides[d] = stride;
      stride *= Math.max(1, shape[d]) + random.nextInt(2);
    }
    int offset = random.nextInt(3);
    double[] values =
        type == ElementType.BOOL
            ? random.ints(stride + offset, 0, 2).asDoubleStream().toArray()
            : random.doubles(stride + offset, -100, 100).toArray();
    return ArrayTensor.view(
        type, KernelFixture.buffer(type, values).array(), offset, shape, strides);
  }
}
