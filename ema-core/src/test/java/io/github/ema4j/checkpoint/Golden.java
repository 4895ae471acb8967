package io.github.ema4j.checkpoint;

import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Files that Python wrote, and what is in state dicts, for comparison. */
final class Golden {

  private Golden() {}

  static Path path(String name) {
    try {
      return Path.of(Golden.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static byte[] bytes(String name) {
    try (InputStream in = Golden.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns type, shape and every element's bits, row by row, by name and in order. */
  static Map<String, String> content(StateDict<?> state) {
    Map<String, String> content = new LinkedHashMap<>();
    put(state, content);
    return content;
  }

  private static <T> void put(StateDict<T> state, Map<String, String> content) {
    for (Entry<T> entry : state.entries()) {
      content.put(entry.name(), content(entry.spec(), state.backend().memory(entry.tensor())));
    }
  }

  private static String content(TensorSpec spec, HostMemory memory) {
    StringBuilder text = new StringBuilder(spec.type() + " " + spec.shape() + ":");
    long[] index = new long[spec.shape().length()];
    for (long i = 0; i < spec.elements(); i++) {
      long rest = i;
      long offset = 0;
      for (int d = index.length - 1; d >= 0; d--) {
        offset += rest % spec.shape().get(d) * spec.strides().get(d);
        rest /= spec.shape().get(d);
      }
      text.append(' ').append(bits(memory.segmentAt(offset), memory.indexAt(offset)));
    }
    return text.toString();
  }

  private static String bits(Buffer buffer, int index) {
    if (buffer instanceof DoubleBuffer doubles) {
      return Long.toHexString(Double.doubleToRawLongBits(doubles.get(index)));
    } else if (buffer instanceof FloatBuffer floats) {
      return Integer.toHexString(Float.floatToRawIntBits(floats.get(index)));
    } else if (buffer instanceof LongBuffer longs) {
      return Long.toHexString(longs.get(index));
    } else if (buffer instanceof IntBuffer ints) {
      return Integer.toHexString(ints.get(index));
    } else if (buffer instanceof ShortBuffer shorts) {
      return Integer.toHexString(shorts.get(index) & 0xffff);
    }
    return Integer.toHexString(((ByteBuffer) buffer).get(index) & 0xff);
  }
}
