package io.github.ema4j.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.util.Pair;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Streams;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of the TorchScript modules in a block. DJL lists a module's parameters, but not its
 * buffers: the script itself must, by a method {@code ema_buffers} that returns them.
 */
final class ScriptBuffers implements AutoCloseable {
  private final List<Script> scripts;
  private final ImmutableMap<String, NDArray> arrays;

  /**
   * A TorchScript module in a block.
   *
   * @param prefix what its parameters' names begin with
   */
  private record Script(String prefix, Block block) {}

  private ScriptBuffers(List<Script> scripts, Map<String, NDArray> arrays) {
    this.scripts = scripts;
    this.arrays = ImmutableMap.copyOf(arrays);
  }

  /**
   * Asks the modules for their buffers.
   *
   * @throws UnsupportedOperationException if a module has no method that tells them, or it returns
   *     copies, saying how to write it; if the backend refuses a buffer, naming it
   */
  static ScriptBuffers of(Block block) {
    ScriptBuffers buffers = asked(block);
    try (ScriptBuffers again = asked(block)) {
      if (!buffers.areTheSameAs(again, true)) {
        throw new UnsupportedOperationException(
            "the TorchScript module's method ema_buffers returns copies of its buffers, so that what"
                + " is written to them would be lost; return the buffers themselves");
      }
      return buffers;
    } catch (RuntimeException | Error e) {
      buffers.close();
      throw e;
    }
  }

  private static ScriptBuffers asked(Block block) {
    List<Script> scripts = scripts(block);
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    try {
      for (Script script : scripts) {
        TorchScripts.buffers(script.block)
            .forEach((name, array) -> arrays.put(script.prefix + name, array));
      }
      arrays.forEach((name, array) -> DjlBackend.instance().describe("buffer", name, array));
      return new ScriptBuffers(scripts, arrays);
    } catch (RuntimeException | Error e) {
      arrays.values().forEach(NDArray::close);
      throw e;
    }
  }

  /**
   * Asks again, as a module may have put another tensor in a buffer's place.
   *
   * @return these if nothing changed
   */
  ScriptBuffers asOf(Block block) {
    try (ScriptBuffers now = asked(block)) {
      return areTheSameAs(now, false) ? this : of(block);
    }
  }

  /**
   * Tells whether all handles are of the same tensors.
   *
   * @param onDevice what to take for true outside host memory, where DJL tells no address
   */
  private boolean areTheSameAs(ScriptBuffers others, boolean onDevice) {
    return scripts.equals(others.scripts)
        && arrays.keySet().asList().equals(others.arrays.keySet().asList())
        && Streams.zip(
                arrays.values().stream(),
                others.arrays.values().stream(),
                (array, other) -> isSame(array, other, onDevice))
            .allMatch(same -> same);
  }

  private static boolean isSame(NDArray array, NDArray other, boolean onDevice) {
    DjlBackend backend = DjlBackend.instance();
    return backend.describe(array).equals(backend.describe(other))
        && (array.getDevice().equals(Device.cpu())
            ? array.size() == 0 || backend.storage(array).isSameAs(backend.storage(other))
            : onDevice);
  }

  boolean hasScripts() {
    return !scripts.isEmpty();
  }

  /** Returns the buffers by name; handles to the modules' own memory. */
  ImmutableMap<String, NDArray> arrays() {
    return arrays;
  }

  /** Frees the handles. */
  @Override
  public void close() {
    arrays.values().forEach(NDArray::close);
  }

  private static List<Script> scripts(Block block) {
    List<Script> scripts = new ArrayList<>();
    collect("", block, scripts);
    return scripts;
  }

  private static void collect(String prefix, Block block, List<Script> scripts) {
    if (block.getClass().getName().equals("ai.djl.pytorch.engine.PtSymbolBlock")) {
      scripts.add(new Script(prefix, block));
    }
    for (Pair<String, Block> child : block.getChildren()) {
      collect(prefix + child.getKey() + "_", child.getValue(), scripts);
    }
  }
}
