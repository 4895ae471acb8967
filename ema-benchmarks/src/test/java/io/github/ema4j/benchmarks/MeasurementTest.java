package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.ImmutableDoubleArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeasurementTest {

  static Measurement of(String process, String contender, double... millis) {
    return new Measurement(
        process, "group, with a comma", contender, 1, 10, 120, ImmutableDoubleArray.copyOf(millis));
  }

  @Test
  void aRatioIsTakenRoundByRound() {
    Measurement slow = of("p", "slow", 20, 200, 30);
    Measurement fast = of("p", "fast", 10, 100, 10);

    assertThat(slow.times(fast)).isEqualTo(new Spread(2, 2, 2.5)); // though the machine stumbled
  }

  @Test
  void aShareIsThePartOfBoth() {
    assertThat(of("p", "update", 1, 1, 1).shareBeside(of("p", "step", 9, 9, 9)).median())
        .isEqualTo(0.1);
  }

  @Test
  void numbersOfTwoProcessesAreNotCompared() {
    Measurement one = of("one", "a", 1);
    Measurement other = of("other", "b", 1);

    assertThatThrownBy(() -> one.times(other)).hasMessageContaining("not measured in turns");
  }

  @Test
  void filesGiveBackWhatWasWritten(@TempDir Path folder) throws IOException {
    List<Measurement> measurements = List.of(of("p", "a \"b\"", 1.5, 2), of("p", "c", 3, 0.00125));
    Path file = folder.resolve("samples.csv");

    Measurement.write(file, measurements);

    assertThat(Measurement.read(file)).isEqualTo(measurements);
  }
}
