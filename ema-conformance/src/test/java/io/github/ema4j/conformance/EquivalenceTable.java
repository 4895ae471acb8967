package io.github.ema4j.conformance;

import com.google.common.hash.Hashing;
import io.github.ema4j.testkit.ConformanceRecord;
import io.github.ema4j.testkit.ConformanceRecord.Outcome;
import io.github.ema4j.testkit.ConformanceRecord.Result;
import io.github.ema4j.testkit.Rule;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The records of several backends side by side: what each is held to, and whether bits are equal.
 */
final class EquivalenceTable {
  private final List<Rule> rules;
  private final List<ConformanceRecord> records;

  EquivalenceTable(List<Rule> rules, List<ConformanceRecord> records) {
    this.rules = rules;
    this.records = records;
  }

  /** Returns all that keeps the backends from being equal and right. */
  List<String> problems() {
    List<String> problems = new ArrayList<>();
    for (ConformanceRecord record : records) {
      for (Rule rule : rules) {
        problem(rule, record.rules().get(rule.id()))
            .map(problem -> record.backend() + ": " + rule.id() + " " + problem)
            .ifPresent(problems::add);
      }
      if (record.cases().isEmpty()) {
        problems.add(record.backend() + ": no case was averaged");
      }
    }
    for (String name : caseNames()) {
      Set<String> hashes = hashes(name);
      if (hashes.size() > 1) {
        problems.add(
            "case '"
                + name
                + "' differs: "
                + records.stream()
                    .map(record -> record.backend() + " " + record.cases().get(name))
                    .collect(Collectors.joining(", ")));
      }
    }
    return problems;
  }

  private static Optional<String> problem(Rule rule, Result result) {
    if (result == null) {
      return rule.full() ? Optional.empty() : Optional.of("was not run: " + rule.sentence());
    } else if (result.outcome() == Outcome.FAILED) {
      return Optional.of("failed: " + result.reason());
    } else if (result.outcome() == Outcome.SKIPPED && rule.isMandatory()) {
      return Optional.of("is mandatory, but was skipped: " + result.reason());
    }
    return Optional.empty();
  }

  /** Returns the table for a terminal, of rules and the hash of all that the backends share. */
  String terminal() {
    StringBuilder text = new StringBuilder();
    text.append(String.format("Equivalence of %d backends%n", records.size()));
    for (ConformanceRecord record : records) {
      text.append(
          String.format("  %-8s %s, Java %s%n", record.backend(), version(record), record.java()));
    }
    text.append(String.format("%-88s", "rule"));
    records.forEach(record -> text.append(String.format(" %-9s", record.backend())));
    for (Rule rule : rules) {
      text.append(
          String.format(
              "%n%-88s", rule.id() + (rule.isMandatory() ? "  " : " *") + rule.sentence()));
      records.forEach(record -> text.append(String.format(" %-9s", mark(rule, record))));
    }
    text.append(String.format("%n  * for backends that declare a capability, or lack one%n"));
    text.append(hashesForTerminal());
    text.append(skippedForTerminal());
    return text.toString();
  }

  private String skippedForTerminal() {
    StringBuilder text = new StringBuilder(String.format("Skipped:%n"));
    for (ConformanceRecord record : records) {
      Map<String, String> idsByReason = new TreeMap<>();
      record
          .rules()
          .forEach(
              (id, result) -> {
                if (result.skipped() > 0) {
                  idsByReason.merge(result.reason(), id, (ids, next) -> ids + " " + next);
                }
              });
      idsByReason.forEach(
          (reason, ids) ->
              text.append(String.format("  %-8s %s: %s%n", record.backend(), reason, ids)));
    }
    return text.toString();
  }

  private String hashesForTerminal() {
    StringBuilder text = new StringBuilder();
    Set<String> shared = sharedCases();
    text.append(
        String.format(
            "%nSHA-256 of the averaged states of the %d cases that all have, each equal:%n",
            shared.size()));
    for (ConformanceRecord record : records) {
      String all = shared.stream().map(record.cases()::get).collect(Collectors.joining("\n"));
      text.append(
          String.format(
              "  %-8s %s, %d cases in all%n",
              record.backend(),
              Hashing.sha256().hashString(all, StandardCharsets.UTF_8),
              record.cases().size()));
    }
    return text.toString();
  }

  /** Returns the whole table as Markdown: rules, and the hash of each case. */
  String markdown() {
    StringBuilder text = new StringBuilder("# Equivalence\n\n");
    records.forEach(
        record ->
            text.append(
                String.format(
                    "- `%s`: %s, Java %s; %s%n",
                    record.backend(),
                    version(record),
                    record.java(),
                    String.join(", ", record.capabilities()))));
    row(text, "\n| rule | |", ConformanceRecord::backend);
    row(text, "|---|---|", record -> "---");
    for (Rule rule : rules) {
      row(text, "| " + rule.id() + " | " + rule.sentence() + " |", record -> mark(rule, record));
    }
    row(text, "\n| case | SHA-256 |", ConformanceRecord::backend);
    row(text, "|---|---|", record -> "---");
    for (String name : caseNames()) {
      Set<String> hashes = hashes(name);
      row(
          text,
          "| " + name + " | `" + String.join(" ≠ ", hashes) + "` |",
          record ->
              record.cases().containsKey(name) ? (hashes.size() == 1 ? "equal" : "DIFFERS") : "–");
    }
    text.append("\nSkipped, overridden and inexact:\n\n");
    for (ConformanceRecord record : records) {
      record.rules().forEach((id, result) -> note(text, record.backend(), id, result));
    }
    return text.toString();
  }

  private void row(StringBuilder text, String start, Function<ConformanceRecord, String> cell) {
    text.append(start);
    records.forEach(record -> text.append(' ').append(cell.apply(record)).append(" |"));
    text.append('\n');
  }

  private static void note(StringBuilder text, String backend, String id, Result result) {
    if (result.skipped() > 0) {
      text.append(
          String.format(
              "- `%s` %s, %d of %d runs: %s%n",
              backend, id, result.skipped(), result.skipped() + result.runs(), result.reason()));
    }
    if (result.overridden()) {
      text.append(String.format("- `%s` %s: overridden by the backend's author%n", backend, id));
    }
    if (result.worstUlp() > 0) {
      text.append(String.format("- `%s` %s: at worst %s ulp%n", backend, id, result.worstUlp()));
    }
  }

  private static String mark(Rule rule, ConformanceRecord record) {
    Result result = record.rules().get(rule.id());
    if (result == null) {
      return rule.full() ? "-Pfull" : "NOT RUN";
    }
    String own = result.overridden() ? "own " : "";
    return switch (result.outcome()) {
      case PASSED ->
          own
              + (result.skipped() == 0
                  ? "ok"
                  : "ok " + result.runs() + "/" + (result.runs() + result.skipped()));
      case SKIPPED -> "skipped";
      case FAILED -> "FAILED";
    };
  }

  private static String version(ConformanceRecord record) {
    return record.version().isEmpty() ? "no framework" : record.version();
  }

  private Set<String> caseNames() {
    return records.stream()
        .flatMap(record -> record.cases().keySet().stream())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private Set<String> sharedCases() {
    Set<String> shared = caseNames();
    records.forEach(record -> shared.retainAll(record.cases().keySet()));
    return shared;
  }

  private Set<String> hashes(String name) {
    return records.stream()
        .map(record -> record.cases().get(name))
        .filter(Objects::nonNull)
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }
}
