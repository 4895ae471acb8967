package io.github.ema4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceRecord;
import io.github.ema4j.testkit.ConformanceRecord.Outcome;
import io.github.ema4j.testkit.ConformanceRecord.Result;
import io.github.ema4j.testkit.Rule;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EquivalenceTableTest {
  private static final Rule ALWAYS = rule("EMA-X01", Optional.empty(), false);
  private static final Rule SOMETIMES = rule("EMA-X02", Optional.of(Capability.F64), false);
  private static final Rule SELDOM = rule("EMA-X03", Optional.of(Capability.F64), true);

  @Test
  void equalBackendsHaveNoProblem() {
    EquivalenceTable table =
        table(
            record("one", "abc", Outcome.PASSED, Outcome.PASSED),
            record("two", "abc", Outcome.PASSED, Outcome.SKIPPED));

    assertThat(table.problems()).isEmpty();
    assertThat(table.terminal())
        .contains("EMA-X01  it holds")
        .containsPattern("EMA-X02 \\*it holds +ok +skipped")
        .containsPattern("EMA-X03 \\*it holds +-Pfull +-Pfull")
        .contains("1 cases that all have")
        .contains("two      because: EMA-X02");
    assertThat(table.markdown()).contains("| a case | `abc` | equal | equal |");
  }

  @Test
  void oneBitOfDifferenceIsAProblem() {
    EquivalenceTable table =
        table(
            record("one", "abc", Outcome.PASSED, Outcome.PASSED),
            record("two", "abd", Outcome.PASSED, Outcome.PASSED));

    assertThat(table.problems()).containsExactly("case 'a case' differs: one abc, two abd");
    assertThat(table.markdown()).contains("| a case | `abc ≠ abd` | DIFFERS | DIFFERS |");
  }

  @Test
  void aRuleThatFailedIsAProblem() {
    assertThat(table(record("one", "abc", Outcome.FAILED, Outcome.PASSED)).problems())
        .containsExactly("one: EMA-X01 failed: because");
  }

  @Test
  void aMandatoryRuleThatWasSkippedIsAProblem() {
    assertThat(table(record("one", "abc", Outcome.SKIPPED, Outcome.PASSED)).problems())
        .containsExactly("one: EMA-X01 is mandatory, but was skipped: because");
  }

  @Test
  void aRuleThatWasNotRunIsAProblem() {
    ConformanceRecord empty =
        new ConformanceRecord(
            "one", "", "17", List.of(), ImmutableSortedMap.of(), ImmutableSortedMap.of());

    assertThat(table(empty).problems())
        .containsExactly(
            "one: EMA-X01 was not run: it holds",
            "one: EMA-X02 was not run: it holds",
            "one: no case was averaged");
  }

  private static EquivalenceTable table(ConformanceRecord... records) {
    return new EquivalenceTable(List.of(ALWAYS, SOMETIMES, SELDOM), List.of(records));
  }

  private static Rule rule(String id, Optional<Capability> needs, boolean full) {
    return new Rule(id, "it holds", needs, Optional.empty(), full);
  }

  private static ConformanceRecord record(
      String backend, String hash, Outcome always, Outcome sometimes) {
    return new ConformanceRecord(
        backend,
        "1.0",
        "17",
        List.of("F32"),
        ImmutableSortedMap.of("EMA-X01", result(always), "EMA-X02", result(sometimes)),
        ImmutableSortedMap.of("a case", hash));
  }

  private static Result result(Outcome outcome) {
    boolean skipped = outcome == Outcome.SKIPPED;
    return new Result(
        "it holds",
        outcome,
        skipped ? 0 : 1,
        skipped ? 1 : 0,
        outcome == Outcome.PASSED ? "" : "because",
        0,
        false);
  }
}
