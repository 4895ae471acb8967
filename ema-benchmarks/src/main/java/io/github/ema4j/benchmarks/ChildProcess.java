package io.github.ema4j.benchmarks;

import java.io.IOException;
import java.util.List;

/** Runs a command and shows what it says. */
final class ChildProcess {

  private ChildProcess() {}

  /** Returns the status with which it ended. */
  static int run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getInputStream().transferTo(System.out);
    return process.waitFor();
  }
}
