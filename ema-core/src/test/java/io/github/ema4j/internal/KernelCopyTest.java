package io.github.ema4j.internal;

import static io.github.ema4j.internal.KernelFixture.assertSame;
import static io.github.ema4j.internal.KernelFixture.buffer;
import static io.github.ema4j.internal.KernelFixture.flat;
import static io.github.ema4j.internal.KernelFixture.read;
import static io.github.ema4j.internal.KernelFixture.values;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.HostMemory;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class KernelCopyTest {

  private static final int SIZE = 5_000;

  @ParameterizedTest(name = "{0}, seed 47")
  @EnumSource(ElementType.class)
  void copiesEveryBitOfEveryPattern(ElementType type) {
    ByteBuffer from = randomBits(type);
    ByteBuffer to = ByteBuffer.allocateDirect(from.capacity()).order(ByteOrder.nativeOrder());
    new HostKernel()
        .copy(
            HostMemory.of(typed(type, to)),
            type,
            HostMemory.of(typed(type, from)),
            type,
            flat(SIZE));
    assertThat(to).isEqualTo(from);
  }

  @ParameterizedTest(name = "{0}, seed 47")
  @EnumSource(ElementType.class)
  void copiesEveryBitThroughAnotherLayout(ElementType type) {
    ByteBuffer from = randomBits(type);
    ByteBuffer to = ByteBuffer.allocateDirect(from.capacity()).order(ByteOrder.nativeOrder());
    ByteBuffer back = ByteBuffer.allocateDirect(from.capacity()).order(ByteOrder.nativeOrder());
    LoopNest transposing =
        LoopNest.over(
            ImmutableLongArray.of(50, 100),
            ImmutableLongArray.of(1, 50),
            ImmutableLongArray.of(100, 1));
    LoopNest restoring =
        LoopNest.over(
            ImmutableLongArray.of(50, 100),
            ImmutableLongArray.of(100, 1),
            ImmutableLongArray.of(1, 50));
    HostKernel kernel = new HostKernel();
    HostMemory middle = HostMemory.of(typed(type, to));
    kernel.copy(middle, type, HostMemory.of(typed(type, from)), type, transposing);
    kernel.copy(HostMemory.of(typed(type, back)), type, middle, type, restoring);
    assertThat(back).isEqualTo(from);
    assertThat(to).isNotEqualTo(from);
  }

  static Stream<Arguments> floatingPairs() {
    return floating().flatMap(to -> floating().map(from -> Arguments.of(to, from)));
  }

  @ParameterizedTest(name = "{0} from {1}, seed 53")
  @MethodSource("floatingPairs")
  void roundsOnceBetweenFloatingTypes(ElementType to, ElementType from) {
    double[] source = values(from, SIZE, new Random(53));
    Buffer target = buffer(to, new double[SIZE]);
    new HostKernel()
        .copy(HostMemory.of(target), to, HostMemory.of(buffer(from, source)), from, flat(SIZE));
    double[] expected = Arrays.stream(source).map(Format.of(to)::round).toArray();
    assertSame(read(to, target), expected, "seed 53");
  }

  private static Stream<ElementType> floating() {
    return Arrays.stream(ElementType.values()).filter(ElementType::isFloating);
  }

  /** Returns random bytes, one element in eight a NaN with a payload where there are such. */
  private static ByteBuffer randomBits(ElementType type) {
    ByteBuffer bits = ByteBuffer.allocateDirect(SIZE * type.bytes()).order(ByteOrder.nativeOrder());
    Random random = new Random(47);
    while (bits.hasRemaining()) {
      bits.put((byte) random.nextInt());
    }
    for (int i = 0; i < SIZE; i += 8) {
      switch (type) {
        case F64 -> bits.putLong(i * 8, 0x7ff0_0000_0000_0001L + i);
        case F32 -> bits.putInt(i * 4, 0xff80_0001 + i);
        case F16 -> bits.putShort(i * 2, (short) (0x7c01 + i % 512));
        case BF16 -> bits.putShort(i * 2, (short) (0xff81 + i % 64));
        default -> {}
      }
    }
    return bits.clear();
  }

  private static Buffer typed(ElementType type, ByteBuffer bytes) {
    ByteBuffer all = bytes.duplicate().order(ByteOrder.nativeOrder());
    return switch (type) {
      case F64 -> all.asDoubleBuffer();
      case F32 -> all.asFloatBuffer();
      case I64 -> all.asLongBuffer();
      case I32 -> all.asIntBuffer();
      case F16, BF16, I16 -> all.asShortBuffer();
      case I8, U8, BOOL -> all;
    };
  }
}
