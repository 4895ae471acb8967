package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.typesafe.config.Config;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScheduleCommandTest {
  @TempDir private Path folder;

  private Path config(String text) throws IOException {
    return Files.writeString(folder.resolve("ema.conf"), text);
  }

  /** Beside an average that is updated with a model that is its step's number. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "decay = 0.99",
        "type = inverse-power-warmup, decay = 0.999",
        "type = half-life, halfLife = 70, delay = 30",
        "type = constant, decay = 0.995, zeroDebias = true",
        "type = uniform-mean"
      })
  void decaysAndWeightsAreThoseOfAnAverage(String schedule) throws IOException {
    Path file = config("ema.average { canary = false, schedule { " + schedule + " } }");

    Config json = Ema.done("schedule", file, "--until=1000", "--json").json();

    float[] weight = {0};
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(weight, 1))
            .build();
    Map<Long, Double> decays = new HashMap<>();
    Map<Long, Double> starts = new HashMap<>();
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).config(EmaConfig.load(file)).build(model)) {
      for (long step = 1; step <= 1000; step++) {
        weight[0] = step > 500 ? 1 : 0; // so that the average is what the second half weighs
        ema.update(model);
        decays.put(step, ema.progress().decay());
        starts.put(step, ema.progress().startWeight());
      }
      ema.copyTo(model);
    }
    List<? extends Config> updates = json.getConfigList("updates");
    assertThat(updates)
        .extracting(update -> update.getLong("time"))
        .containsExactly(1L, 2L, 5L, 10L, 20L, 50L, 100L, 200L, 500L, 1000L);
    for (Config update : updates) {
      long time = update.getLong("time");
      assertThat(update.getDouble("decay")).isEqualTo(decays.get(time));
      assertThat(update.getDouble("start")).isCloseTo(starts.get(time), within(1e-12));
      assertThat(update.hasPath("half")).isEqualTo(starts.get(time) <= 0.5);
      assertThat(update.hasPath("nineTenths")).isEqualTo(starts.get(time) <= 0.1);
      if (update.hasPath("nineTenths")) {
        assertThat(update.getLong("half")).isBetween(1L, update.getLong("nineTenths"));
        assertThat(update.getLong("nineTenths")).isLessThanOrEqualTo(time);
      }
    }
    List<Double> past = json.getDoubleList("weightOfThePast");
    assertThat(past).hasSize(60);
    double secondHalf = past.subList(30, 60).stream().mapToDouble(each -> each).sum();
    assertThat(secondHalf).isCloseTo(weight[0], within(1e-5));
    double all = past.stream().mapToDouble(each -> each).sum() + starts.get(1000L);
    assertThat(all).isCloseTo(1, within(1e-9));
  }

  @Test
  void halfOfAnAverageIsAsOldAsItsHalfLife() throws IOException {
    Path file = config("ema.average.schedule { type = half-life, halfLife = 100 }");
    Config json = Ema.done("schedule", file, "--until=1000", "--json").json();
    Config last = json.getConfigList("updates").get(9);
    assertThat(last.getLong("half")).isEqualTo(100);
    assertThat(last.getLong("nineTenths")).isEqualTo(333); // log2(10) of them
  }

  @Test
  void tableAndPlotsAreShown() throws IOException {
    Path file = config("ema.average { every = 10, schedule.decay = 0.99 }");

    List<String> lines = Ema.done("schedule", file, "--until=1000").out().lines().toList();

    assertThat(lines.get(0)).isEqualTo("ConstantDecay[decay=0.99]");
    assertThat(lines)
        .contains(
            "steps      decay  window   half  nine tenths   start",
            "   10  0.9043821     105  start        start  0.9044",
            "1,000  0.9043821     105     70          230  0.0000",
            "Window 1/(1-d), both axes logarithmic",
            "Weight of the past after 1,000 steps");
    assertThat(lines).contains("105 |" + "#".repeat(60), "15.9 % |" + " ".repeat(59) + "#");
  }

  @Test
  void profilesAreShown() throws IOException {
    Path file = config("ema.profiles.slow.schedule.decay = 0.99999");
    assertThat(Ema.done("schedule", file, "--profile=slow").out())
        .startsWith("ConstantDecay[decay=0.99999]");
    assertThat(Ema.done("schedule", file, "--profile=timm-v3").out())
        .startsWith("ConstantDecay[decay=0.9999]");
  }

  @Test
  void mistakesAreTold() throws IOException {
    Path file = config("ema.average.schedule.decy = 0.9");
    Ema refused = Ema.run("schedule", file);
    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.err()).startsWith("ema: ").contains("ema.conf", "decy", "decay");
    Ema none = Ema.run("schedule", config("ema.average.schedule.decay = 0.9"), "--until=0");
    assertThat(none.exit()).isEqualTo(1);
    assertThat(none.err())
        .startsWith("ema: with an update every 1 there are 0 until 0; look at 1 to 10000000");
    assertThat(Ema.run("schedule", folder.resolve("missing.conf")).exit()).isEqualTo(1);
  }
}
