package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.ConformanceRecord.Outcome;
import io.github.ema4j.testkit.ConformanceRecord.Result;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.testkit.engine.EngineTestKit;

class ConformanceRecordTest {
  private static final Result PASSED = result(Outcome.PASSED, 1, 0, "", 0);
  private static final Result SKIPPED = result(Outcome.SKIPPED, 0, 1, "has no such type", 0);
  private static final Result FAILED = result(Outcome.FAILED, 1, 0, "off by one", 3);

  @TempDir private Path folder;

  @Test
  void isReadAsItWasWritten() throws Exception {
    ConformanceRecord record =
        new ConformanceRecord(
            "a \"quoted\" name",
            "1.0",
            "17",
            List.of("F32", "F64"),
            ImmutableSortedMap.of(
                "EMA-X01",
                result(Outcome.FAILED, 2, 1, "line\nand 'line'", Double.POSITIVE_INFINITY)),
            ImmutableSortedMap.of("a.case, with dots", "abc"));

    record.write(folder.resolve("deeper/record.json"));

    assertThat(ConformanceRecord.read(folder.resolve("deeper/record.json"))).isEqualTo(record);
  }

  @Test
  void oneFailureIsAFailureWhateverElseWasFound() {
    assertThat(PASSED.and(FAILED).and(SKIPPED))
        .isEqualTo(result(Outcome.FAILED, 2, 1, "off by one", 3));
    assertThat(FAILED.and(PASSED)).isEqualTo(result(Outcome.FAILED, 2, 0, "off by one", 3));
  }

  @Test
  void whatWasPartlySkippedHasPassedWithTheReason() {
    Result both = result(Outcome.PASSED, 1, 1, "has no such type", 0);

    assertThat(PASSED.and(SKIPPED)).isEqualTo(both);
    assertThat(SKIPPED.and(PASSED)).isEqualTo(both);
    assertThat(SKIPPED.and(SKIPPED))
        .isEqualTo(result(Outcome.SKIPPED, 0, 2, "has no such type", 0));
  }

  /** An author who replaces a check of the kit's. */
  static final class OverridingKit extends PolicyKit<StateDict<ArrayTensor>, ArrayTensor> {
    @Override
    protected BackendUnderTest<StateDict<ArrayTensor>, ArrayTensor> subject() {
      return new ArrayConformanceTest() {
        @Override
        public Set<Capability> capabilities() {
          return EnumSet.of(Capability.F32);
        }
      };
    }

    @Test
    @Override
    protected void patternsThatMatchNothing() {
      // not checked
    }
  }

  @Test
  void aRunIsRecordedWithWhatWasSkippedAndOverridden() {
    EngineTestKit.engine("junit-jupiter")
        .selectors(selectClass(OverridingKit.class))
        .configurationParameter("ema.records.dir", folder.toString())
        .execute();

    ConformanceRecord record = ConformanceRecord.read(folder.resolve("array.json"));

    assertThat(record.capabilities()).containsExactly("F32");
    assertThat(record.rules()).containsKeys("EMA-P01", "EMA-P05", "EMA-P12");
    assertThat(record.rules().get("EMA-P01").outcome()).isEqualTo(Outcome.PASSED);
    assertThat(record.rules().get("EMA-P01").overridden()).isFalse();
    assertThat(record.rules().get("EMA-P05").overridden()).isTrue();
    assertThat(record.rules().get("EMA-P12"))
        .isEqualTo(
            new Result(
                sentence("EMA-P12"), Outcome.SKIPPED, 0, 1, "has not declared TIED", 0, false));
  }

  private static String sentence(String id) {
    return Rule.all().stream()
        .filter(rule -> rule.id().equals(id))
        .map(Rule::sentence)
        .findFirst()
        .orElseThrow();
  }

  private static Result result(
      Outcome outcome, int runs, int skipped, String reason, double worstUlp) {
    return new Result("it holds", outcome, runs, skipped, reason, worstUlp, false);
  }
}
