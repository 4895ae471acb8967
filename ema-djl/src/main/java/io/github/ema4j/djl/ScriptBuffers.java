package io.github.ema4j.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.util.Pair;
import com.google.common.collect.ImmutableMap;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The buffers of the TorchScript modules in a block. DJL lists a module's parameters, but not its
 * buffers: the script itself must, by a method {@code ema_buffers} that returns them.
 */
final class ScriptBuffers {
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
   * @throws UnsupportedOperationException if a module has no method that tells them, saying how to
   *     write it
   */
  static ScriptBuffers of(Block block) {
    List<Script> scripts = scripts(block);
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    try {
      for (Script script : scripts) {
        TorchScripts.buffers(script.block)
            .forEach((name, array) -> arrays.put(script.prefix + name, array));
      }
    } catch (RuntimeException | Error e) {
      arrays.values().forEach(NDArray::close);
      throw e;
    }
    DjlBackend.keep(arrays.values());
    return new ScriptBuffers(scripts, arrays);
  }

  /** Returns the buffers by name; handles to the modules' own memory. */
  ImmutableMap<String, NDArray> arrays() {
    return arrays;
  }

  /** Tells whether the block has just the modules whose buffers these are. */
  boolean areOf(Block block) {
    return scripts.equals(scripts(block));
  }

  /** Frees the handles. */
  void close() {
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
