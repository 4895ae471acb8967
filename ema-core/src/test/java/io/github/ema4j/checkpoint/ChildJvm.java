package io.github.ema4j.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Starts programs of the tests in a Java of their own. */
final class ChildJvm {

  private ChildJvm() {}

  /**
   * Starts a program.
   *
   * @param log where its log goes
   * @param prefix a command that runs the command that follows it; may be empty
   */
  static Process start(Path log, List<String> prefix, Class<?> program, String... args)
      throws IOException {
    List<String> command = new ArrayList<>(prefix);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).redirectError(log.toFile()).start();
  }
}
