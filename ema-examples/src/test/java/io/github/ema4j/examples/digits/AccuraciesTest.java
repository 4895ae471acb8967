package io.github.ema4j.examples.digits;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AccuraciesTest {
  private final Accuracies accuracies = new Accuracies();

  @Test
  void onlyTheLastTenEpochsCount() {
    accuracies.add(0, 0);
    for (int i = 0; i < 5; i++) {
      accuracies.add(0.8, 0.85);
      accuracies.add(0.822, 0.868);
    }

    assertThat(accuracies.summary())
        .isEqualTo("accuracy: raw 0.8110, EMA 0.8590 (mean of the last 10 epochs)");
  }

  @Test
  void fewerEpochsAllCount() {
    accuracies.add(0.5, 0.25);
    accuracies.add(1, 0.75);

    assertThat(accuracies.summary())
        .isEqualTo("accuracy: raw 0.7500, EMA 0.5000 (mean of the last 2 epochs)");
  }

  @Test
  void oneEpochIsSaidInTheSingular() {
    accuracies.add(0.5, 0.25);

    assertThat(accuracies.summary())
        .isEqualTo("accuracy: raw 0.5000, EMA 0.2500 (mean of the last 1 epoch)");
  }
}
