package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableListMultimap;
import com.google.common.collect.Multimaps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Writes what was measured: a page of tables, a CSV, and charts. */
final class Report {
  private final ImmutableListMultimap<Turns, Measurement> byTurns;
  private final List<MicroBenchmark> microBenchmarks;
  private final List<String> lines = new ArrayList<>();

  /** Where contenders took turns: only these are compared. */
  record Turns(String process, String group) {}

  Report(List<Measurement> measurements, List<MicroBenchmark> microBenchmarks) {
    byTurns = Multimaps.index(measurements, each -> new Turns(each.process(), each.group()));
    this.microBenchmarks = microBenchmarks;
  }

  /**
   * Writes {@code results.md}, {@code results.csv} and the charts.
   *
   * @param conditions on what it was measured, and how often
   */
  void write(Path folder, List<String> conditions) throws IOException {
    lines.add("# Measured");
    lines.add("");
    lines.add("Written by `ema-benchmarks/run`. Times and ratios: median (first–third quartile).");
    lines.add("");
    conditions.forEach(condition -> lines.add("- " + condition));
    section("What was wanted", claims());
    section("An update's share of a training step, guard on", shares());
    byTurns
        .asMap()
        .forEach(
            (turns, all) -> {
              if (all.stream().allMatch(each -> each.parameters() > 0)) {
                section(turns.group + " · " + turns.process, times(ImmutableList.copyOf(all)));
              }
            });
    section("Kernels on their own, by JMH", microBenchmarks());
    Files.createDirectories(folder);
    Files.write(folder.resolve("results.md"), lines);
    Measurement.writeSummary(folder.resolve("results.csv"), byTurns.values());
    Charts.write(folder, byTurns);
  }

  private void section(String title, MarkdownTable table) {
    lines.add("");
    lines.add("## " + title);
    lines.add("");
    lines.addAll(table.lines());
  }

  private MarkdownTable claims() {
    MarkdownTable table = new MarkdownTable("ratio", "process", "wanted", "measured", "met");
    for (Claim claim : Claim.all()) {
      for (Turns turns : byTurns.keySet()) {
        if (turns.group.equals(claim.group())) {
          claim
              .ratio(byTurns.get(turns))
              .ifPresent(
                  ratio ->
                      table.row(
                          claim.what(),
                          turns.process,
                          (claim.least() ? "≥ " : "≤ ") + claim.bound(),
                          ratio.toString(),
                          claim.isMetBy(ratio) ? "yes" : "**no**"));
        }
      }
    }
    return table;
  }

  private MarkdownTable shares() {
    MarkdownTable table =
        new MarkdownTable("training", "process", "step, ms", "update, ms", "share");
    for (Turns turns : byTurns.keySet()) {
      List<Measurement> parts = byTurns.get(turns);
      find(parts, Names.STEP)
          .ifPresent(
              step -> {
                Measurement update = find(parts, Names.UPDATE).orElseThrow();
                table.row(
                    turns.group,
                    turns.process,
                    step.spread().toString(),
                    update.spread().toString(),
                    percent(update.shareBeside(step)));
              });
      find(parts, Names.WITH)
          .ifPresent(
              with -> {
                Spread rest = find(parts, Names.WITHOUT).orElseThrow().times(with);
                Spread share = new Spread(1 - rest.upper(), 1 - rest.median(), 1 - rest.lower());
                table.row(turns.group, turns.process, "", "", percent(share));
              });
    }
    return table;
  }

  private static Optional<Measurement> find(List<Measurement> turns, String contender) {
    return turns.stream().filter(each -> each.contender().equals(contender)).findFirst();
  }

  private static String percent(Spread share) {
    return String.format(
        Locale.ROOT,
        "%.2f %% (%.2f–%.2f)",
        100 * share.median(),
        100 * share.lower(),
        100 * share.upper());
  }

  /** Shows contenders with their time over that of the fastest update of ours, threads alike. */
  private static MarkdownTable times(List<Measurement> turns) {
    MarkdownTable table = new MarkdownTable("", "threads", "ms", "GB/s", "time over ours");
    for (Measurement each : turns) {
      table.row(
          each.contender(),
          Integer.toString(each.threads()),
          each.spread().toString(),
          String.format(Locale.ROOT, "%.1f", each.gigabytesPerSecond().median()),
          ours(turns, each.threads()).map(ours -> each.times(ours).toString()).orElse(""));
    }
    return table;
  }

  /** Returns our own update by the kernel that is taken where it can run. */
  private static Optional<Measurement> ours(List<Measurement> turns, int threads) {
    Optional<Measurement> simd =
        Measurement.find(turns, Names.update(Kernel.SIMD, Checks.CANARY), threads);
    return simd.isPresent()
        ? simd
        : Measurement.find(turns, Names.update(Kernel.PORTABLE, Checks.CANARY), threads);
  }

  private MarkdownTable microBenchmarks() {
    MarkdownTable table =
        new MarkdownTable(
            "kernel", "elements", "model", "ns", "± (99.9 %)", "heap, bytes an update");
    for (MicroBenchmark each : microBenchmarks) {
      table.row(
          each.kernel(),
          each.elements(),
          each.setting(),
          String.format(Locale.ROOT, "%.0f", each.nanos()),
          String.format(Locale.ROOT, "%.0f", each.error()),
          String.format(Locale.ROOT, "%.1f", each.heapBytes()));
    }
    return table;
  }
}
