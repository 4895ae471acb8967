package io.github.ema4j.conformance;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.testkit.ConformanceRecord;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A backend that is held to the rules, in a JVM of its own: two of them may bring natives that one
 * process cannot load.
 *
 * @param backend the name under which it records itself
 * @param module the module whose tests have its kit
 * @param kit the class that extends the kit
 */
record BackendRun(String backend, String module, String kit) {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final int MINUTES = 5; // against hanging: seconds are usual

  /** All backends; a new one is one line here, and its module a dependency. */
  static final List<BackendRun> ALL =
      List.of(
          new BackendRun("array", "ema-testkit", "io.github.ema4j.testkit.ArrayConformanceTest"),
          new BackendRun("djl", "ema-djl", "io.github.ema4j.djl.DjlConformanceTest"));

  /** Starts the kit in a JVM like this one. */
  Process start(Path folder) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx1g",
            "-Dema.records.dir=" + folder,
            "-Dai.djl.offline=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-Dslf4j.internal.verbosity=ERROR"));
    if (Runtime.version().feature() >= 22) {
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    String golden = System.getProperty("ema.golden.dir");
    if (golden != null) {
      command.add("-Dema.golden.dir=" + golden);
    }
    command.addAll(List.of("-cp", classPath(), KitLauncher.class.getName(), kit));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(log(folder).toFile())
        .start();
  }

  /**
   * Waits for the kit's record.
   *
   * @throws IllegalStateException if the JVM ended without one, with what it said
   */
  ConformanceRecord await(Process process, Path folder) throws IOException, InterruptedException {
    boolean ended = process.waitFor(MINUTES, TimeUnit.MINUTES);
    process.destroyForcibly();
    checkState(
        ended && process.exitValue() == 0,
        "the kit of '%s' did not finish:\n%s",
        backend,
        Files.readString(log(folder)));
    return ConformanceRecord.read(folder.resolve(backend + ".json"));
  }

  private Path log(Path folder) {
    return folder.resolve(backend + ".log");
  }

  /** What this JVM has, and the tests of the kit's module. */
  private String classPath() {
    String own =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    Path tests = ROOT.resolve(module).resolve("target/test-classes");
    checkState(Files.isDirectory(tests), "%s is missing; compile the tests of %s", tests, module);
    return tests + File.pathSeparator + own;
  }
}
