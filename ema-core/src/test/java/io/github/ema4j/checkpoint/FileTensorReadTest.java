package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FileTensorReadTest {
  @TempDir private Path folder;

  /** Beside a walk that computes each element's place; permuted slices in both byte orders. */
  @ParameterizedTest
  @EnumSource
  void anyRangeOfAnyLayoutIsReadInRowMajorOrder(ElementType type) {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      TensorSpec spec = randomSpec(type, random);
      byte[] content = new byte[(int) spec.extent() * type.bytes() + 5];
      random.nextBytes(content);
      ByteOrder order = random.nextBoolean() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      FileTensor tensor =
          new FileTensor(FileBytes.of(Path.of("x"), ByteBuffer.wrap(content)), 3, order, spec);
      int first = random.nextInt((int) spec.elements() + 1);
      int count = random.nextInt((int) spec.elements() - first + 1);
      ByteBuffer into = ByteBuffer.allocate(count * type.bytes() + 2);

      tensor.read(first, into.position(1).limit(1 + count * type.bytes()));

      assertThat(into.remaining()).isZero();
      assertThat(Arrays.copyOfRange(into.array(), 1, into.limit()))
          .as("seed %d, round %d: %s from %d", seed, round, spec, first)
          .isEqualTo(expected(content, order, spec, first, count));
      assertThat(into.array()[0]).isZero();
      assertThat(into.array()[into.capacity() - 1]).isZero();
    }
  }

  private static byte[] expected(
      byte[] content, ByteOrder order, TensorSpec spec, int first, int count) {
    int size = spec.type().bytes();
    byte[] expected = new byte[count * size];
    for (int i = 0; i < count; i++) {
      long at = 0;
      long rest = (long) first + i;
      for (int d = spec.shape().length() - 1; d >= 0; d--) {
        at += rest % spec.shape().get(d) * spec.strides().get(d);
        rest /= spec.shape().get(d);
      }
      for (int b = 0; b < size; b++) {
        int from = order == ByteOrder.LITTLE_ENDIAN ? b : size - 1 - b;
        expected[i * size + b] = content[3 + (int) at * size + from];
      }
    }
    return expected;
  }

  private static TensorSpec randomSpec(ElementType type, Random random) {
    int rank = random.nextInt(5);
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < rank; d++) {
      order.add(0, d);
    }
    if (random.nextBoolean()) {
      Collections.shuffle(order, random);
    }
    long[] shape = new long[rank];
    long[] strides = new long[rank];
    long stride = 1L + random.nextInt(2);
    for (int d : order) {
      shape[d] = random.nextInt(8) == 0 ? 0 : 1L + random.nextInt(6);
      strides[d] = stride;
      stride *= Math.max(1, shape[d]) + (random.nextInt(3) == 0 ? 1 : 0);
    }
    return new TensorSpec(
        type, ImmutableLongArray.copyOf(shape), ImmutableLongArray.copyOf(strides), Device.CPU);
  }

  /**
   * Rows that lie further apart than one slice of the file reaches, in a file that is mostly holes.
   */
  @Test
  void elementsThatLieFarApartAreRead() throws IOException {
    Path file = folder.resolve("far");
    long apart = 300_000_000;
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.setLength(2 * apart * Float.BYTES + 2 * Float.BYTES);
      for (long row = 0; row < 3; row++) {
        out.seek(row * apart * Float.BYTES);
        out.write(new byte[] {(byte) row, 0, 0, 0, (byte) (row + 10), 0, 0, 0});
      }
    }
    TensorSpec spec =
        new TensorSpec(
            ElementType.I32,
            ImmutableLongArray.of(2, 3),
            ImmutableLongArray.of(1, apart),
            Device.CPU);
    try (FileBytes bytes = FileBytes.map(file)) {
      FileTensor tensor = new FileTensor(bytes, 0, ByteOrder.LITTLE_ENDIAN, spec);
      ByteBuffer into = ByteBuffer.allocate(6 * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);

      tensor.read(0, into);

      int[] values = new int[6];
      into.flip().asIntBuffer().get(values);
      assertThat(values).containsExactly(0, 1, 2, 10, 11, 12);
    }
  }

  @Test
  void whatIsNotThereIsNotRead() {
    FileBytes bytes = FileBytes.of(Path.of("x"), ByteBuffer.allocate(12));
    FileTensor tensor =
        new FileTensor(
            bytes, 0, ByteOrder.LITTLE_ENDIAN, TensorSpec.contiguous(ElementType.F32, 3));

    assertThatIllegalArgumentException()
        .isThrownBy(() -> tensor.read(0, ByteBuffer.allocate(6)))
        .withMessage("there is room for 6 bytes, which is no whole number of elements of 4");
    for (long first : new long[] {-1, 2, Long.MAX_VALUE}) {
      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> tensor.read(first, ByteBuffer.allocate(8)));
    }
    bytes.close();
    assertThatIllegalStateException()
        .isThrownBy(() -> tensor.read(0, ByteBuffer.allocate(4)))
        .withMessage("the file x is closed, and its tensors with it");
  }
}
