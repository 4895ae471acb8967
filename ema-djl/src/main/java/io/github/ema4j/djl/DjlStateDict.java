package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import com.google.common.collect.ImmutableList;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/** The parameters of a block and the buffers of its scripts, as they are at the last look. */
final class DjlStateDict implements StateDict<NDArray> {
  private final DjlBackend backend;
  private final Block block;
  private Structure structure;
  private boolean structureTells;
  private List<Source> sources;
  private ScriptBuffers buffers;
  private List<Entry<NDArray>> entries;

  /** A parameter under the first of its names. */
  private record Source(String name, Parameter parameter) {

    NDArray array() {
      checkState(
          parameter.isInitialized(),
          "parameter '%s' has no array yet; call trainer.initialize(...) or block.initialize(...)"
              + " first",
          name);
      NDArray array = parameter.getArray();
      checkState(
          !array.isReleased(),
          "parameter '%s' is closed; keep the model and its NDManager open while it is averaged",
          name);
      return array;
    }

    Role role(TensorSpec spec) {
      Parameter.Type type = parameter.getType();
      if (type == Parameter.Type.RUNNING_MEAN || type == Parameter.Type.RUNNING_VAR) {
        return Role.STATISTIC;
      } else if (!spec.type().isFloating()) {
        return Role.COUNTER;
      }
      return parameter.requiresGradient() ? Role.PARAMETER : Role.FROZEN;
    }
  }

  DjlStateDict(DjlBackend backend, Block block) {
    this.backend = backend;
    this.block = block;
    structure = Structure.of(block);
    sources = sources(block);
    structureTells = areTold(structure, sources);
    buffers = ScriptBuffers.of(block);
    try {
      entries = listed(sources, buffers);
    } catch (RuntimeException | Error e) {
      buffers.close();
      throw e;
    }
  }

  @Override
  public TensorBackend<NDArray> backend() {
    return backend;
  }

  @Override
  public List<Entry<NDArray>> entries() {
    return entries;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Walks the block again, as blocks can be added and removed. A parameter that was frozen or
   * released has another role from now on, which is no move.
   */
  @Override
  public boolean refresh() {
    boolean same = structureTells && structure.isThatOf(block);
    ScriptBuffers buffersNow = same && !buffers.hasScripts() ? buffers : buffers.asOf(block);
    ScriptBuffers unused = buffersNow;
    try {
      List<Source> now = same ? sources : sources(block);
      boolean moved = buffersNow != buffers || !now.equals(sources);
      boolean changed = moved;
      for (int i = 0; i < now.size(); i++) {
        NDArray array = now.get(i).array();
        if (!moved && !isSame(array, entries.get(i).tensor())) {
          moved = true;
        }
        changed |= moved || now.get(i).role(entries.get(i).spec()) != entries.get(i).role();
      }
      if (changed) {
        entries = listed(now, buffersNow);
        sources = now;
        structure = Structure.of(block);
        structureTells = areTold(structure, sources);
      }
      unused = buffers;
      buffers = buffersNow;
      return moved;
    } finally {
      if (unused != buffers) {
        unused.close();
      }
    }
  }

  /** Frees the handles of the scripts' buffers; the buffers stay the scripts'. */
  @Override
  public void close() {
    buffers.close();
  }

  @SuppressWarnings("ReferenceEquality") // NDArrays are equal where their contents are
  private static boolean isSame(NDArray array, NDArray other) {
    return array == other;
  }

  /** Lists each parameter once: a block that is used twice lists its parameters twice. */
  private static List<Source> sources(Block block) {
    List<Source> sources = new ArrayList<>();
    Set<Parameter> parameters = Collections.newSetFromMap(new IdentityHashMap<>());
    Set<String> names = new HashSet<>();
    for (Pair<String, Parameter> pair : block.getParameters()) {
      if (parameters.add(pair.getValue())) {
        checkState(
            names.add(pair.getKey()),
            "the block has two parameters named '%s'; name its children apart",
            pair.getKey());
        sources.add(new Source(pair.getKey(), pair.getValue()));
      }
    }
    return sources;
  }

  /**
   * Tells whether a block lists just the parameters of what it is made of. One that has a list of
   * its own is asked for it each time.
   */
  private static boolean areTold(Structure structure, List<Source> sources) {
    Set<Parameter> parameters = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Parameter> told = structure.parameters().stream().filter(parameters::add).toList();
    return told.equals(sources.stream().map(Source::parameter).toList());
  }

  private List<Entry<NDArray>> listed(List<Source> from, ScriptBuffers scripts) {
    ImmutableList.Builder<Entry<NDArray>> listed = ImmutableList.builder();
    for (Source source : from) {
      NDArray array = source.array();
      TensorSpec spec = backend.describe("parameter", source.name, array);
      listed.add(new Entry<>(source.name, array, spec, source.role(spec)));
    }
    scripts
        .arrays()
        .forEach(
            (name, array) -> {
              TensorSpec spec = backend.describe("buffer", name, array);
              Role role = spec.type().isFloating() ? Role.STATISTIC : Role.COUNTER;
              listed.add(new Entry<>(name, array, spec, role));
            });
    return listed.build();
  }
}
