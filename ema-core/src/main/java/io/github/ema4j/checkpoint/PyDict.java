package io.github.ema4j.checkpoint;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A Python dict, of which the items with text for a key are kept. The others (an optimiser's state
 * is by number) lead to nothing that is read, and are dropped.
 */
final class PyDict {
  private static final int INITIAL_CAPACITY = 2;

  private @Nullable Map<String, Object> items;

  /** Adds an item; returns whether its key is new. */
  boolean put(Object key, Object value) {
    if (!(key instanceof String name)) {
      return true;
    }
    if (items == null) {
      items = new LinkedHashMap<>(INITIAL_CAPACITY);
    }
    return items.putIfAbsent(name, value) == null;
  }

  /** Returns the items with text for a key, in the pickle's order. */
  Map<String, Object> items() {
    return items == null ? Map.of() : Collections.unmodifiableMap(items);
  }
}
