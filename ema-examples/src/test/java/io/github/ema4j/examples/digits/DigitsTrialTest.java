package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.github.ema4j.Advice;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Properties;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DigitsTrialTest {
  private static final double[] SIX = {0.9, 0.97, 0.99, 0.997, 0.999, 0.9997};

  @TempDir Path directory;

  private DemoConfig config(int seed, int epochs) {
    Properties properties = new Properties();
    properties.setProperty("demo.seed", String.valueOf(seed));
    properties.setProperty("demo.epochs", String.valueOf(epochs));
    return DemoConfig.read(properties, directory);
  }

  /** The pick is made on validation images alone; it is compared on the test images. */
  @Tag("full") // trainings in full
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(ints = {1, 2, 3})
  void whatIsAdvisedIsWithinTwoPointsOfTheBestOfSixDecaysInFull(int seed) {
    DemoConfig config = config(seed, 30);
    DigitsData data = DigitsData.read(config.data());
    double decay = DigitsTrial.decay(config, data, DigitsTrial.advise(config, data));

    double[] seven = DoubleStream.concat(DoubleStream.of(SIX), DoubleStream.of(decay)).toArray();
    Advice inFull = DigitsTrial.run(config, data, config.epochs(), seven);

    double best = Collections.max(inFull.scores().values());
    assertThat(inFull.scores().get(decay))
        .as("decay %s, of %s", decay, inFull.scores())
        .isGreaterThan(best - 0.02);
  }

  @Test
  void theTrialIsShortAndTheDecayIsThatOfTheWholeTraining() {
    DemoConfig config = config(1, 4);
    DigitsData data = DigitsData.read(config.data());

    Advice advice = DigitsTrial.advise(config, data);

    assertThat(advice.updates()).as("2 epochs of 4/5 of 45 batches").isEqualTo(72);
    assertThat(advice.scores()).hasSize(6);
    assertThat(DigitsTrial.decay(config, data, advice)).isEqualTo(advice.decayForRun(180.0 / 72));
  }

  @Test
  void oneImageCannotBeSplit() {
    Images one = new Images(8, new float[1][64], new int[1]);
    assertThatExceptionOfType(InputException.class)
        .isThrownBy(() -> DigitsTrial.advise(config(1, 1), new DigitsData(one, one, 2)))
        .withMessage("1 training image cannot be split for advice: at least 2");
  }
}
