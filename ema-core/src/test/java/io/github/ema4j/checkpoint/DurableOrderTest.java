package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a power failure would tell, told by the calls of the system that a program makes. */
class DurableOrderTest {
  private static final Pattern CALL = Pattern.compile("\\d+ +(fsync|rename)[a-z0-9]*\\((.*)");

  @TempDir private Path folder;
  @TempDir private Path logs;

  @Test
  void bytesAreForcedBeforeTheNameAndTheNameAfterwards() throws Exception {
    Path calls = logs.resolve("calls");
    List<String> tracing =
        List.of("strace", "-f", "-y", "-e", "trace=fsync,/^rename", "-o", calls.toString());
    assumeTrue(traces(tracing), "there is no strace, or it may not trace");

    Process process =
        ChildJvm.start(
            logs.resolve("log"),
            tracing,
            CheckpointWriterProgram.class,
            folder.toString(),
            "1",
            "here");
    process.getInputStream().readAllBytes();

    assertThat(process.waitFor()).as(Files.readString(logs.resolve("log"))).isZero();
    try (Stream<String> lines = Files.lines(calls)) {
      assertThat(lines.flatMap(this::inFolder))
          .containsExactly("fsync of the new", "rename of the new", "fsync of the folder");
    }
  }

  private Stream<String> inFolder(String line) {
    Matcher call = CALL.matcher(line);
    if (!call.matches() || !call.group(2).contains(folder.toString())) {
      return Stream.empty();
    }
    return Stream.of(
        call.group(1) + (call.group(2).contains(".tmp") ? " of the new" : " of the folder"));
  }

  private static boolean traces(List<String> tracing) throws InterruptedException {
    try {
      return new ProcessBuilder(Stream.concat(tracing.stream(), Stream.of("true")).toList())
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
