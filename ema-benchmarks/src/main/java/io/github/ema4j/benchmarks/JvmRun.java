package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.base.Joiner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A process that measures a framework on a JDK.
 *
 * @param framework its name for {@link MeasuringJvm}
 * @param javaHome where the JDK is
 * @param parts what is measured
 */
record JvmRun(String framework, Path javaHome, List<Part> parts) implements MeasuringProcess {
  /** Since when the JDK has the Vector API that the SIMD kernel takes. */
  private static final int VECTOR_API = 22;

  @Override
  public List<Measurement> run(Scope scope) throws IOException, InterruptedException {
    System.out.println(framework + " on " + javaHome);
    Path file = Files.createTempFile("measurements", ".csv");
    try {
      int status = ChildProcess.run(command(scope, file));
      checkState(status == 0, "measuring %s on %s failed, see above", framework, javaHome);
      return Measurement.read(file);
    } finally {
      Files.delete(file);
    }
  }

  private List<String> command(Scope scope, Path file) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(javaHome.resolve("bin").resolve("java").toString());
    command.addAll(
        List.of(
            "-Xmx" + (scope.isQuick() ? "1g" : "8g"),
            "--enable-native-access=ALL-UNNAMED",
            "-Dsun.misc.unsafe.memory.access=allow",
            "-Dai.djl.offline=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dslf4j.internal.verbosity=ERROR",
            // What models take is no leak.
            "-Dorg.bytedeco.javacpp.maxBytes=0",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"));
    if (JavaHome.version(javaHome).feature() >= VECTOR_API) {
      command.add("--add-modules=jdk.incubator.vector");
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(
        List.of(
            MeasuringJvm.class.getName(),
            framework,
            Joiner.on(',').join(parts),
            scope.name(),
            file.toString()));
    return command;
  }
}
