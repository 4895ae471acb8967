package io.github.ema4j.internal;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * One entry of the model that an average started from.
 *
 * @param name the model's name for it
 * @param modelSpec what the model's tensor looked like
 * @param treatment what updates do with it
 */
public record Slot(String name, TensorSpec modelSpec, Treatment treatment) {

  /** Tells whether the average keeps a tensor for this entry. */
  public boolean isKept() {
    return treatment != Treatment.SKIP;
  }

  /** Returns the items whose slots are wanted; there is one for each slot. */
  public static <S> List<S> select(List<Slot> slots, List<S> items, Predicate<Slot> wanted) {
    List<S> selected = new ArrayList<>();
    for (int i = 0; i < slots.size(); i++) {
      if (wanted.test(slots.get(i))) {
        selected.add(items.get(i));
      }
    }
    return selected;
  }
}
