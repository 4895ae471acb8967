package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The jar that users get.
 *
 * @param folder for what it prints
 * @param options of the JVM
 */
record Jar(Path path, Path folder, List<String> options) {

  /** Returns what the build has made; skips the test in phases before that. */
  static Jar built(Path folder) {
    String jar = System.getProperty("runnable.jar");
    assumeTrue(jar != null, "the jar is run when it is built, in Maven's phase integration-test");
    assertThat(Path.of(jar)).exists();
    return new Jar(Path.of(jar), folder, List.of());
  }

  Jar withOptions(String... added) {
    return new Jar(path, folder, List.of(added));
  }

  /** Runs it as a process. */
  Ema run(Object... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(options);
    command.add("-jar");
    command.add(path.toString());
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    Path out = Files.createTempFile(folder, "stdout", "");
    Path err = Files.createTempFile(folder, "stderr", "");
    int exit =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start()
            .waitFor();
    return new Ema(exit, Files.readString(out), Files.readString(err));
  }
}
