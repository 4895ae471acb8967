package io.github.ema4j.testkit;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import com.google.common.io.Resources;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The golden cases: those in the kit's resources, or those in the folder that the system property
 * {@code ema.golden.dir} names.
 */
final class GoldenCases {
  private static final String PROPERTY = "ema.golden.dir";

  private GoldenCases() {}

  /**
   * Returns all cases.
   *
   * @throws IllegalStateException if the folder has none
   * @throws UncheckedIOException if a file cannot be read, naming it
   */
  static List<GoldenCase> all() {
    String folder = System.getProperty(PROPERTY, "");
    return folder.isEmpty() ? shipped() : in(Path.of(folder));
  }

  /** Returns what the names of all cases begin with in a record. */
  static String origin() {
    return System.getProperty(PROPERTY, "").isEmpty() ? "golden " : "golden, of " + PROPERTY + ": ";
  }

  /** Returns the cases in the resources. */
  static List<GoldenCase> shipped() {
    List<GoldenCase> cases = new ArrayList<>();
    try {
      for (String name : Resources.readLines(resource("cases.txt"), StandardCharsets.UTF_8)) {
        cases.add(GoldenCase.of(shipped(name)));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return cases;
  }

  static SafetensorsFile shipped(String name) throws IOException {
    return parse(name, Resources.toByteArray(resource(name)));
  }

  static URL resource(String name) {
    return Resources.getResource(GoldenCases.class, "golden/" + name);
  }

  /** Files without a rule in their metadata hold something else and are passed over. */
  private static List<GoldenCase> in(Path folder) {
    ImmutableList.Builder<GoldenCase> found = ImmutableList.builder();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        if (file.toString().endsWith(".safetensors")) {
          SafetensorsFile parsed = parse(file.toString(), Files.readAllBytes(file));
          if (parsed.metadata().containsKey("rule")) {
            found.add(GoldenCase.of(parsed));
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the golden cases in " + folder, e);
    }
    List<GoldenCase> cases = found.build();
    checkState(!cases.isEmpty(), "%s=%s has no golden case", PROPERTY, folder);
    return cases;
  }

  private static SafetensorsFile parse(String name, byte[] bytes) throws IOException {
    try {
      return SafetensorsFile.parse(bytes);
    } catch (IOException | RuntimeException e) {
      throw new IOException("cannot read golden case " + name, e);
    }
  }
}
