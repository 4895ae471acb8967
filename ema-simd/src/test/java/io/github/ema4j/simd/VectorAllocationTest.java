package io.github.ema4j.simd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.github.ema4j.ElementType;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.Buffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** C2 leaves vectors in registers, or allocates each: then a look allocates what it looks at. */
class VectorAllocationTest {
  private static final int ELEMENTS = 4_096;
  private static final int CALLS = 500;
  private static final int BATCHES = 400; // most of them while C2 is not done yet
  private static final long NOTHING = (long) CALLS * 200; // a call's own objects, not its vectors

  static Stream<Arguments> arrays() {
    return Stream.of(
        Arguments.of(ElementType.F32, FloatBuffer.allocate(ELEMENTS)),
        Arguments.of(ElementType.F64, DoubleBuffer.allocate(ELEMENTS)),
        Arguments.of(ElementType.BF16, ShortBuffer.allocate(ELEMENTS)));
  }

  @ParameterizedTest
  @MethodSource("arrays")
  void lookingAtArraysAllocatesNothingInTheEnd(ElementType type, Buffer array) {
    VectorKernel kernel = new VectorKernel();
    MemorySegment view = kernel.view(array);
    long allocated = Long.MAX_VALUE;
    for (int batch = 0; batch < BATCHES && allocated > NOTHING; batch++) {
      allocated = allocatedBy(kernel, type, view);
    }
    assertTrue(allocated <= NOTHING, allocated + " bytes by " + CALLS + " looks at " + type);
  }

  private static long allocatedBy(VectorKernel kernel, ElementType type, MemorySegment array) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    boolean finite = true;
    for (int call = 0; call < CALLS; call++) {
      finite &= kernel.isFinite(type, array, 0, ELEMENTS);
    }
    assertTrue(finite);
    return threads.getCurrentThreadAllocatedBytes() - before;
  }
}
