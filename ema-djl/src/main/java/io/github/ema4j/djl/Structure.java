package io.github.ema4j.djl;

import ai.djl.nn.Block;
import ai.djl.nn.BlockList;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.util.Pair;
import com.google.common.collect.ImmutableList;
import java.util.ArrayList;
import java.util.List;

/**
 * The blocks that a block is made of and their parameters, in the order in which DJL lists them.
 * Comparing them takes none of the names that {@link Block#getParameters} puts together.
 */
final class Structure {
  private final ImmutableList<Object> parts;

  private Structure(ImmutableList<Object> parts) {
    this.parts = parts;
  }

  static Structure of(Block block) {
    List<Object> parts = new ArrayList<>();
    collect(block, parts);
    return new Structure(ImmutableList.copyOf(parts));
  }

  private static void collect(Block block, List<Object> parts) {
    parts.add(block);
    for (Pair<String, Parameter> parameter : block.getDirectParameters()) {
      parts.add(parameter.getValue());
    }
    for (Pair<String, Block> child : block.getChildren()) {
      collect(child.getValue(), parts);
    }
  }

  /** Tells whether a block is still made of the same ones. */
  boolean isThatOf(Block block) {
    return compared(block, 0) == parts.size();
  }

  /** Returns up to where a block's parts are the same, or a negative number if they differ. */
  private int compared(Block block, int begin) {
    int at = is(begin, block) ? begin + 1 : -1;
    ParameterList parameters = block.getDirectParameters();
    for (int i = 0; i < parameters.size(); i++) { // without a pair for each
      at = at >= 0 && is(at, parameters.valueAt(i)) ? at + 1 : -1;
    }
    BlockList children = block.getChildren();
    for (int i = 0; i < children.size(); i++) {
      at = at < 0 ? at : compared(children.valueAt(i), at);
    }
    return at;
  }

  private boolean is(int index, Object part) {
    return index < parts.size() && parts.get(index) == part;
  }

  /** Returns the parameters, each as often as it is listed. */
  List<Parameter> parameters() {
    return parts.stream()
        .filter(Parameter.class::isInstance)
        .map(Parameter.class::cast)
        .collect(ImmutableList.toImmutableList());
  }
}
