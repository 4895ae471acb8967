package io.github.ema4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.ema4j.testkit.ConformanceRecord;
import io.github.ema4j.testkit.Rule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Runs the kits of all backends, each in a JVM of its own, and prints how they compare. */
class EquivalenceTest {
  private static final Path FOLDER = Path.of("target/equivalence");

  @Test
  void allBackendsAreRightAndHaveTheSameBits() throws Exception {
    if (Files.exists(FOLDER)) {
      MoreFiles.deleteRecursively(FOLDER, RecursiveDeleteOption.ALLOW_INSECURE);
    }
    Files.createDirectories(FOLDER);
    List<BackendRun> runs = BackendRun.all();
    List<Process> processes = new ArrayList<>();
    for (BackendRun run : runs) {
      processes.add(run.start(FOLDER));
    }
    List<ConformanceRecord> records = new ArrayList<>();
    for (int i = 0; i < processes.size(); i++) {
      records.add(runs.get(i).await(processes.get(i), FOLDER));
    }

    EquivalenceTable table = new EquivalenceTable(Rule.all(), records);
    System.out.println(table.terminal());
    Files.writeString(FOLDER.resolve("equivalence.md"), table.markdown());
    assertThat(table.problems()).isEmpty();
  }
}
