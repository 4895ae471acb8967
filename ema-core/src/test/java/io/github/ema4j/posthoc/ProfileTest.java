package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.schedule.PowerFunction;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProfileTest {

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void innerProductsAreSymmetricAndNoLargerThanThoseOfProfilesWithThemselves(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 1_000; i++) {
      Profile a = random(random);
      Profile b = random(random);

      assertThat(a.innerProduct(b)).isEqualTo(b.innerProduct(a));
      assertThat(a.innerProduct(b))
          .isLessThanOrEqualTo(
              Math.sqrt(a.innerProduct(a)) * Math.sqrt(b.innerProduct(b)) * (1 + 1e-14));
    }
  }

  /** A formula with the exponents of earlier and later exchanged passes none of these. */
  @ParameterizedTest(name = "{0}, {1} and {2}, {3}")
  @CsvSource({
    "1000, 6.94, 1000, 16.97",
    "1000, 6.94, 3000, 16.97",
    "3000, 6.94, 1000, 16.97",
    "8000, 2, 500, 0.5",
    "8000, 0, 500, 40",
  })
  void innerProductsAreTheIntegralsOfTheProducts(long ta, double ga, long tb, double gb) {
    double end = Math.min(ta, tb);
    int pieces = 200_000;
    double width = end / pieces;
    double sum = 0;
    for (int i = 0; i < pieces; i++) {
      double middle = (i + 0.5) * width;
      sum += response(ta, ga, middle) * response(tb, gb, middle) * width;
    }

    // The midpoint rule's error is h^2 / 24 times the change of the slope, exponents up to 47.
    assertThat(new Profile(ta, ga).innerProduct(new Profile(tb, gb)))
        .isCloseTo(sum, within(1e-6 * sum));
  }

  @Test
  void aProfileIsMadeFromAScheduleOrAWidth() {
    PowerFunction schedule = PowerFunction.ofSigmaRel(0.1);

    assertThat(Profile.at(7, schedule))
        .isEqualTo(new Profile(7, schedule.gamma()))
        .isEqualTo(Profile.ofSigmaRel(7, 0.1));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1})
  void timesThatAreNotPositiveAreRefused(long time) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Profile(time, 1))
        .withMessage("the time of a profile must be at least 1, but was " + time);
  }

  @Test
  void exponentsOutOfRangeAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Profile(1, -0.5))
        .withMessageStartingWith("gamma must be finite and at least -0.3819");
  }

  private static Profile random(Random random) {
    return new Profile(1 + random.nextInt(10_000), -0.38 + 100 * random.nextDouble());
  }

  private static double response(long time, double gamma, double moment) {
    return (gamma + 1) / time * Math.pow(moment / time, gamma);
  }
}
