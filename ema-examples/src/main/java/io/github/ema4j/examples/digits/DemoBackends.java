package io.github.ema4j.examples.digits;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The backends by name. A framework is loaded when its backend is asked for. */
final class DemoBackends {
  private static final Map<String, Supplier<DemoBackend>> BACKENDS =
      new TreeMap<>(
          Map.of("djl", DjlBackend::new, "dl4j", Dl4jBackend::new, "torch", LibTorchBackend::new));

  private DemoBackends() {}

  static Set<String> names() {
    return BACKENDS.keySet();
  }

  static DemoBackend named(String name) {
    @Nullable Supplier<DemoBackend> backend = BACKENDS.get(name);
    if (backend == null) {
      throw new IllegalArgumentException(
          "must be one of " + String.join(", ", names()) + ", but was '" + name + "'");
    }
    return backend.get();
  }
}
