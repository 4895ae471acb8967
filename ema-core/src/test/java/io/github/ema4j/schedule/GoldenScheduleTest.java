package io.github.ema4j.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.github.ema4j.DecaySchedule;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Decays that the peers' own code gave; the power function's are another test's. */
class GoldenScheduleTest {

  private static final Config GOLDEN =
      ConfigFactory.parseResources(GoldenScheduleTest.class, "schedules.json");

  private static final Map<String, DecaySchedule> SCHEDULES =
      Map.of(
          "timm-v3 decay=0.9999 use_warmup gamma=1 power=2/3",
          DecaySchedule.inversePowerWarmup(0.9999),
          "timm-v3 decay=0.9999 use_warmup gamma=1 power=3/4",
          DecaySchedule.inversePowerWarmup(0.9999).withPower(0.75),
          "timm-v3 decay=0.999 min=0.5 after=100 gamma=10 power=1",
          new InversePowerWarmup(0.999, 10, 1, 0.5, 100),
          "tf num_updates=t decay=0.9999: min(decay,(1+t)/(10+t))",
          DecaySchedule.numUpdatesWarmup(0.9999));

  static Stream<Arguments> schedules() {
    return SCHEDULES.entrySet().stream()
        .map(entry -> Arguments.of(entry.getKey(), entry.getValue()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("schedules")
  void decaysAreThoseOfThePeer(String name, DecaySchedule schedule) {
    List<Long> times = GOLDEN.getLongList("t");
    @SuppressWarnings("unchecked")
    List<Number> decays = (List<Number>) GOLDEN.getObject("decay").get(name).unwrapped();
    assertThat(decays).hasSameSizeAs(times).hasSizeGreaterThan(10);
    for (int i = 0; i < times.size(); i++) {
      assertThat(schedule.decay(times.get(i), 1))
          .as("at time %d", times.get(i))
          .isCloseTo(decays.get(i).doubleValue(), within(1e-12));
    }
  }

  @Test
  void noneIsLeftOut() {
    Set<String> others =
        GOLDEN.getObject("decay").keySet().stream()
            .filter(name -> !name.startsWith("edm2 power-function"))
            .collect(Collectors.toSet());
    assertThat(others).isEqualTo(SCHEDULES.keySet());
    assertThat(Arrays.asList(1L, 1_000_000L)).isSubsetOf(GOLDEN.getLongList("t"));
  }
}
