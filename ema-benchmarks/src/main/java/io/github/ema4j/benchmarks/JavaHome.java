package io.github.ema4j.benchmarks;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** What a JDK says about itself in its file {@code release}. */
final class JavaHome {

  private JavaHome() {}

  /** Returns the JDK of this process. */
  static Path own() {
    return Path.of(System.getProperty("java.home"));
  }

  static Runtime.Version version(Path home) throws IOException {
    Properties release = new Properties();
    try (Reader reader = Files.newBufferedReader(home.resolve("release"))) {
      release.load(reader);
    }
    return Runtime.Version.parse(release.getProperty("JAVA_VERSION").replace("\"", ""));
  }
}
