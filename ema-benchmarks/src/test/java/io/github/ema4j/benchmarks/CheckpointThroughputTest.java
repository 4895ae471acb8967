package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointThroughputTest {

  @TempDir private Path folder;

  @Test
  void bothWaysAreMeasuredAndNothingIsLeft() throws IOException {
    assertThat(CheckpointThroughput.report(folder, 3 << 20, 2))
        .containsPattern(
            "save: \\d+ MB/s; plain: \\d+ MB/s; ratio, round by round, median of 2: \\d")
        .containsPattern("resume: \\d+ MB/s; plain: \\d+ MB/s");
    assertThat(folder).isEmptyDirectory();
  }
}
