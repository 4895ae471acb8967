package io.github.ema4j.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HostMemoryTest {

  @Test
  void oneBufferBeginsAtItsPosition() {
    FloatBuffer buffer = FloatBuffer.allocate(10).position(3).limit(9);
    HostMemory memory = HostMemory.of(buffer);
    assertThat(memory.segmentAt(5)).isSameAs(buffer);
    assertThat(memory.indexAt(5)).isEqualTo(8);
    assertThat(memory.elements()).isEqualTo(6);
    assertThat(memory.remainingAt(5)).isGreaterThanOrEqualTo(1);
  }

  @Test
  void segmentsFollowEachOther() {
    FloatBuffer first = FloatBuffer.allocate(4);
    FloatBuffer second = FloatBuffer.allocate(6).position(1).limit(5);
    FloatBuffer last = FloatBuffer.allocate(3);
    HostMemory memory = HostMemory.ofSegments(first, second, last);
    assertThat(memory.elements()).isEqualTo(11);
    assertThat(memory.segmentAt(3)).isSameAs(first);
    assertThat(memory.segmentAt(4)).isSameAs(second);
    assertThat(memory.indexAt(4)).isEqualTo(1);
    assertThat(memory.remainingAt(4)).isEqualTo(4);
    assertThat(memory.remainingAt(7)).isEqualTo(1);
    assertThat(memory.segmentAt(10)).isSameAs(last);
    assertThat(memory.indexAt(10)).isEqualTo(2);
  }

  @Test
  void oneSegmentIsOneBuffer() {
    FloatBuffer buffer = FloatBuffer.allocate(4).position(1);
    HostMemory memory = HostMemory.ofSegments(buffer);
    assertThat(memory.segmentAt(2)).isSameAs(buffer);
    assertThat(memory.indexAt(2)).isEqualTo(3);
  }

  @Test
  void segmentsAreCopiedOnTheWayIn() {
    FloatBuffer[] buffers = {FloatBuffer.allocate(4), FloatBuffer.allocate(2)};
    FloatBuffer first = buffers[0];
    HostMemory memory = HostMemory.ofSegments(buffers);
    buffers[0] = FloatBuffer.allocate(1);
    assertThat(memory.segmentAt(0)).isSameAs(first);
  }

  static Stream<Function<ByteBuffer, Buffer>> views() {
    return Stream.of(
        ByteBuffer::asFloatBuffer,
        ByteBuffer::asDoubleBuffer,
        ByteBuffer::asLongBuffer,
        ByteBuffer::asIntBuffer,
        ByteBuffer::asShortBuffer);
  }

  @ParameterizedTest
  @MethodSource("views")
  void knowsTheByteOrderOfEachType(Function<ByteBuffer, Buffer> view) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(16);
    for (ByteOrder order : new ByteOrder[] {ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN}) {
      assertThat(HostMemory.of(view.apply(bytes.order(order))).isInNativeOrder())
          .isEqualTo(order == ByteOrder.nativeOrder());
    }
    assertThat(HostMemory.of(bytes).isInNativeOrder()).isTrue();
  }

  @Test
  void refusesNoSegments() {
    assertThatIllegalArgumentException()
        .isThrownBy(HostMemory::ofSegments)
        .withMessage("memory needs at least one segment");
  }

  @Test
  void refusesSegmentsOfDifferentLengthsButForTheLast() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                HostMemory.ofSegments(
                    FloatBuffer.allocate(4), FloatBuffer.allocate(3), FloatBuffer.allocate(1)))
        .withMessage("all segments but the last must have 4 elements, but segment 1 has 3");
  }

  @Test
  void refusesALastSegmentThatIsLonger() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HostMemory.ofSegments(FloatBuffer.allocate(4), FloatBuffer.allocate(5)))
        .withMessage("the last segment must have at most 4 elements, but has 5");
  }

  @Test
  void refusesEmptySegmentsBeforeOthers() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HostMemory.ofSegments(FloatBuffer.allocate(0), FloatBuffer.allocate(0)))
        .withMessage("only a single segment may be empty");
  }
}
