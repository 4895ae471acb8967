package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UpdateWarningsTest {
  private final Logger logger = Logger.getLogger(ModelEma.class.getName());
  private final List<String> warnings = new ArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord logged) {
          if (logged.getLevel().equals(Level.WARNING)) {
            warnings.add(logged.getMessage());
          }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private final StateDict<ArrayTensor> model = model("w", 1, 2, 3, 4, 5);

  @BeforeEach
  void listen() {
    logger.setUseParentHandlers(false);
    logger.addHandler(handler);
  }

  @AfterEach
  void stopListening() {
    logger.removeHandler(handler);
    logger.setUseParentHandlers(true);
  }

  @Test
  void aModelThatHasNotMovedSinceTheStartIsWarnedOfOnce() {
    try (var average = averaging().build(model)) {
      average.update(model);
      assertThat(warnings)
          .singleElement()
          .asString()
          .startsWith("The model has not moved since the average was last updated (or started)");
      average.update(model);
      assertThat(warnings).hasSize(1);
    }
  }

  @Test
  void aSecondUpdateForTheSameStepIsWarnedOf() {
    try (var average = averaging().build(model)) {
      floats(model)[0] = 7;
      average.update(model);
      assertThat(warnings).isEmpty();
      average.update(model);
      assertThat(warnings).hasSize(1);
    }
  }

  @Test
  void aModelThatMovesIsNotWarnedOf() {
    try (var average = averaging().build(model)) {
      for (int step = 0; step < 10; step++) {
        floats(model)[4] += 1;
        average.update(model);
      }
      average.set(model);
      floats(model)[0] += 1;
      average.update(model);
    }
    assertThat(warnings).isEmpty();
  }

  @Test
  void anAverageThatWasSetToTheModelIsWarnedOfToo() {
    try (var average = averaging().build(model)) {
      floats(model)[0] = 7;
      average.set(model);
      average.update(model);
    }
    assertThat(warnings).hasSize(1);
  }

  @Test
  void theCanaryCanBeSwitchedOff() {
    try (var average = averaging().canary(false).build(model)) {
      average.update(model);
    }
    assertThat(warnings).isEmpty();
  }

  @Test
  void aFailedUpdateDoesNotMakeTheNextOneLookLikeASecond() {
    try (var average = averaging().build(model)) {
      floats(model)[0] = 7;
      UpdateRule<ArrayTensor> broken =
          (e, m, decay) -> {
            throw new IllegalStateException("broken");
          };
      try {
        average.update(model, ArrayTensor.class, broken);
      } catch (IllegalStateException expected) {
        assertThat(expected).hasMessage("broken");
      }
      average.update(model);
    }
    assertThat(warnings).isEmpty();
  }

  @Test
  void anAverageInHalfPrecisionStalls() {
    StateDict<ArrayTensor> halves =
        Models.dict()
            .parameter("w", ArrayTensor.of(ElementType.BF16, new short[] {0x3f80}, 1))
            .build();
    ModelEma.Builder<StateDict<ArrayTensor>> builder = averaging().canary(false);
    try (var wide = builder.strategy(EmaStrategy.nameMatched(0.997)).build(halves);
        var fast =
            builder
                .shadowType(ShadowType.MODEL)
                .strategy(EmaStrategy.nameMatched(0.996))
                .build(halves)) {
      wide.update(halves);
      fast.update(halves);
    }
    assertThat(warnings).isEmpty();
    try (var average = builder.strategy(EmaStrategy.nameMatched(0.997)).build(halves)) {
      average.update(halves);
      average.update(halves);
    }
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith("Averages kept in BF16 stall at decay 0.997")
        .contains("(0.00390625)");
  }

  @Test
  void aWeightOfHalfAUnitInTheLastPlaceStillMovesAndOneOfZeroIsMeant() {
    for (double decay : new double[] {1 - 0x1p-24, 1}) {
      try (var average =
          averaging().canary(false).strategy(EmaStrategy.nameMatched(decay)).build(model)) {
        average.update(model);
      }
    }
    assertThat(warnings).isEmpty();
    try (var average =
        averaging().canary(false).strategy(EmaStrategy.nameMatched(1 - 0x1p-25)).build(model)) {
      average.update(model);
    }
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith("Averages kept in F32 stall at decay 0.9999999701976776")
        .endsWith("(" + 0x1p-24 + "); keep them in F64");
  }

  @Test
  void copiedEntriesInHalfPrecisionDoNotStall() {
    StateDict<ArrayTensor> mixed =
        Models.dict()
            .parameter("w", Models.tensor(1))
            .statistic("mean", ArrayTensor.of(ElementType.BF16, new short[] {0x3f80}, 1))
            .build();
    EntryPolicy policy = EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY);
    try (var average = averaging().policy(policy).canary(false).build(mixed)) {
      average.update(mixed);
    }
    assertThat(warnings).isEmpty();
  }

  @Test
  void theGainOfTheWeightedSumIsWarnedOfOnce() {
    ModelEma.Builder<StateDict<ArrayTensor>> builder =
        averaging().canary(false).rule(AveragingRule.WEIGHTED_SUM);
    try (var small = builder.strategy(EmaStrategy.nameMatched(0.99)).build(model)) {
      small.update(model);
    }
    assertThat(warnings).isEmpty();
    try (var large = builder.strategy(EmaStrategy.nameMatched(0.9999)).build(model)) {
      large.update(model);
      large.update(model);
    }
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith("At decay 0.9999 the rule weighted-sum does not keep a constant")
        .contains("off by 1.659");
  }

  /** One less the gains that the formulas' golden numbers give. */
  @ParameterizedTest
  @CsvSource({".9999, .000166", ".99999, .00136", ".999999, .0131", "1, 0", "0.5, 0", "0, 0"})
  void theGainErrorIsThatOfTheRoundedScalars(double decay, double error) {
    assertThat(UpdateWarnings.gainError(decay)).isCloseTo(error, within(0.01 * error + 1e-12));
  }
}
