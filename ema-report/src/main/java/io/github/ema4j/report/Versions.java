package io.github.ema4j.report;

import com.google.common.io.Resources;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/** What the training ran on. */
final class Versions {

  private Versions() {}

  /** Returns the name and version of what a class came with, where its jar says. */
  static String of(Class<?> type) {
    Package from = type.getPackage();
    String version = from.getImplementationVersion();
    return version == null ? "" : from.getName() + " " + version;
  }

  /**
   * Returns all versions by name.
   *
   * @param backend the backend's name
   * @param framework what {@link #of} says of it
   */
  static Map<String, String> all(String backend, String framework) {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("ema4j", own());
    if (!backend.isEmpty()) {
      versions.put("Backend", framework.isEmpty() ? backend : backend + " (" + framework + ")");
    }
    versions.put(
        "Java", System.getProperty("java.version") + ", " + System.getProperty("java.vm.name"));
    versions.put(
        "System",
        "%s %s, %s, %d processors"
            .formatted(
                System.getProperty("os.name"),
                System.getProperty("os.version"),
                System.getProperty("os.arch"),
                Runtime.getRuntime().availableProcessors()));
    return versions;
  }

  private static String own() {
    Properties properties = new Properties();
    try {
      properties.load(new StringReader(resource("version.properties")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty("version", "");
  }

  /** Returns a text that lies beside this class. */
  static String resource(String name) throws IOException {
    return Resources.toString(Resources.getResource(Versions.class, name), StandardCharsets.UTF_8);
  }
}
