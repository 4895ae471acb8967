package io.github.ema4j.conformance;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.testkit.ConformanceRecord;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.platform.launcher.Launcher;

/**
 * A backend that is held to the rules, in a JVM of its own with its module's class path: two of
 * them may bring natives that one process cannot load.
 *
 * @param label what the table calls it
 * @param module the module whose tests have its kit
 * @param kit the class that extends the kit
 * @param options further options of the JVM
 */
record BackendRun(String label, String module, String kit, List<String> options) {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final String TESTKIT = "io.github.ema4j.testkit.ArrayConformanceTest";
  private static final Path SIMD = classes("ema-simd");
  private static final int MINUTES = 5; // against hanging: seconds are usual

  /** Returns all backends of this build; a new one is one line here. */
  static List<BackendRun> all() {
    Stream<BackendRun> kernels =
        Stream.of(
            array("array", "-Dema.kernel=portable", "-Dema.threads=1"),
            array("threads", "-Dema.kernel=portable", "-Dema.threads=4"),
            array("simd", "-Dema.kernel=simd", "--add-modules=jdk.incubator.vector"));
    Stream<BackendRun> frameworks =
        Stream.of(
            new BackendRun("djl", "ema-djl", "io.github.ema4j.djl.DjlConformanceTest", List.of()),
            new BackendRun(
                "dl4j", "ema-dl4j", "io.github.ema4j.dl4j.Dl4jConformanceTest", List.of()),
            new BackendRun(
                "torch",
                "ema-javacpp-torch",
                "io.github.ema4j.torch.ModuleConformanceTest",
                List.of()));
    return Stream.concat(kernels, frameworks).filter(BackendRun::isInThisBuild).toList();
  }

  private static BackendRun array(String label, String... options) {
    return new BackendRun(label, "ema-testkit", TESTKIT, List.of(options));
  }

  /** The SIMD kernel is built on newer JDKs alone. */
  private boolean isInThisBuild() {
    return Files.isDirectory(ROOT.resolve(module))
        && (!label.equals("simd")
            || (Runtime.version().feature() >= 22 && Files.isDirectory(SIMD)));
  }

  /** Starts the kit in a JVM like this one. */
  Process start(Path folder) throws IOException {
    Files.createDirectories(records(folder));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-Xmx1g",
            "-Dema.records.dir=" + records(folder),
            "-Dai.djl.offline=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-Dslf4j.internal.verbosity=ERROR",
            "--enable-native-access=ALL-UNNAMED"));
    command.addAll(options);
    String golden = System.getProperty("ema.golden.dir", "");
    if (!golden.isEmpty()) {
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
        label,
        Files.readString(log(folder)));
    try (Stream<Path> files = Files.list(records(folder))) {
      ConformanceRecord record =
          ConformanceRecord.read(
              files.filter(file -> file.toString().endsWith(".json")).findFirst().orElseThrow());
      return new ConformanceRecord(
          label,
          record.version(),
          record.java(),
          record.capabilities(),
          record.rules(),
          record.cases());
    }
  }

  private Path records(Path folder) {
    return folder.resolve(label).toAbsolutePath();
  }

  private Path log(Path folder) {
    return folder.resolve(label + ".log");
  }

  private String classPath() throws IOException {
    Path written = ROOT.resolve(module).resolve("target/test-class-path.txt");
    checkState(Files.exists(written), "%s is missing; build %s first", written, module);
    return String.join(
        File.pathSeparator,
        ROOT.resolve(module).resolve("target/test-classes").toString(),
        classes(module).toString(),
        Files.readString(written).strip(),
        SIMD.toString(),
        ROOT.resolve("ema-conformance/target/test-classes").toString(),
        launcher());
  }

  private static Path classes(String module) {
    return ROOT.resolve(module).resolve("target/classes");
  }

  /** Returns where JUnit's launcher is, which Surefire brings to a module's tests by itself. */
  private static String launcher() {
    try {
      return Path.of(Launcher.class.getProtectionDomain().getCodeSource().getLocation().toURI())
          .toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
