package io.github.ema4j.checkpoint;

import java.util.ArrayList;
import java.util.List;

/** A Python list. */
final class PyList {
  private final List<Object> items = new ArrayList<>();

  List<Object> items() {
    return items;
  }
}
