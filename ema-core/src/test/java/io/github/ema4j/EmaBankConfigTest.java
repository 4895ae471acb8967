package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.typesafe.config.ConfigFactory;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.schedule.PowerFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmaBankConfigTest {
  private static final String TWO =
      """
      ema.average { strategy = ordered, every = 2 }
      ema.bank {
        fast { decay = 0.5 }
        slow { type = power-function, sigmaRel = 0.1, delay = 3 }
      }
      """;

  private static final EmaBankConfig EXPECTED =
      new EmaBankConfig(
          EmaConfig.defaults()
              .withStrategy(EmaStrategy.ordered(0.9999))
              .withTiming(Timing.EVERY_STEP.withEvery(2)),
          Map.of(
              "fast", DecaySchedule.constant(0.5),
              "slow", PowerFunction.ofSigmaRel(0.1).delayedBy(3)));

  private static EmaBankConfig read(String text) {
    return EmaBankConfig.from(ConfigFactory.parseString(text));
  }

  @Test
  void eachAverageHasItsSchedule(@TempDir Path directory) throws IOException {
    assertThat(read(TWO)).isEqualTo(EXPECTED);
    assertThat(EmaBankConfig.load(Files.writeString(directory.resolve("a.conf"), TWO)))
        .isEqualTo(EXPECTED);
  }

  @Test
  void anAverageThatIsNullIsNotThere() {
    assertThat(read(TWO + "ema.bank.slow = null").schedules()).containsOnlyKeys("fast");
  }

  @Test
  void aBankFromAConfigurationAveragesAsItSays() {
    float[] weights = {0};
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("weights", ArrayTensor.of(weights, 1))
            .build();
    EmaBankConfig config = read("ema.bank { b { decay = 0.5 }, a { decay = 0.75 } }");
    try (EmaBank<StateDict<ArrayTensor>> bank =
        EmaBank.builder(ArrayBackend.adapter()).config(config).build(model)) {
      weights[0] = 8;
      bank.update(model);
      assertThat(bank.averages().keySet()).containsExactly("a", "b");
      bank.average("a").copyTo(model);
      assertThat(weights).containsExactly(2);
      bank.average("b").copyTo(model);
      assertThat(weights).containsExactly(4);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {35, 36})
  void anyBankIsReadBackFromItsText(long seed) {
    RandomConfigs random = new RandomConfigs(seed);
    for (int i = 0; i < 100; i++) {
      Map<String, DecaySchedule> schedules = new TreeMap<>();
      for (String name : new String[] {"fast", "a.b", "\"", "0"}) {
        schedules.put(name, random.schedule());
      }
      EmaBankConfig bank = new EmaBankConfig(random.config(), schedules);
      assertThat(EmaBankConfig.parse(bank.toString()))
          .as("seed %d, %d: %s", seed, i, bank)
          .isEqualTo(bank);
    }
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "ema.bank.fast.decay = 2 | ema.bank.fast.decay: the value must be in [0, 1], but was 2.0",
        "ema.bank.fast.schedule.decay = 0.5 | unknown key ema.bank.fast.schedule.decay; known with"
            + " type = constant are decay, delay, maximum, minimum, of, scaling, type, zeroDebias; did"
            + " you mean decay?",
        "ema.bank.other = 0.5 | ema.bank.other: must be a table, but was 0.5",
      })
  void aMistakeIsToldToWhoeverReadsTheConfiguration(String line, String problem) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(ConfigFactory.parseString(TWO + line)))
        .withMessage("the configuration has problems:\n  String: 6: " + problem);
  }

  @Test
  void aBankWithoutAveragesIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("ema.average.rule = lerp"))
        .withMessage(
            "a bank needs averages; name each with its schedule, under ema.bank in a configuration");
  }
}
