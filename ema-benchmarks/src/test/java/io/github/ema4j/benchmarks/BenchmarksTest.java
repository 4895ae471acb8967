package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs everything once, on beginnings of models: whether it runs, not how fast. */
class BenchmarksTest {

  @Test
  void aQuickRunWritesTablesNumbersAndCharts(@TempDir Path folder) throws Exception {
    Benchmarks.main(new String[] {"--quick", folder.toString()});

    assertThat(Files.readString(folder.resolve("results.md")))
        .contains("## What was wanted", "timm V2's time over ours", "## Kernels on their own")
        .contains("| demo | DJL", "| demo | ND4J", "| demo | LibTorch")
        .contains("read and write", "_foreach_lerp_", "subi, muli, addi", "for loop");
    assertNumbers(folder.resolve("results.csv"));
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.filter(file -> file.toString().endsWith(".png")).toList())
          .hasSizeGreaterThanOrEqualTo(4)
          .allSatisfy(file -> assertThat(file).isNotEmptyFile());
    }
  }

  private static void assertNumbers(Path file) throws Exception {
    CSVFormat format = CSVFormat.DEFAULT.builder().setHeader().setSkipHeaderRecord(true).get();
    try (CSVParser parser = format.parse(Files.newBufferedReader(file))) {
      List<CSVRecord> rows = parser.getRecords();
      assertThat(rows).hasSizeGreaterThan(50);
      assertThat(rows)
          .allSatisfy(
              row ->
                  assertThat(Double.parseDouble(row.get("medianMillis"))).isPositive().isFinite());
    }
  }
}
