package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class AxisTest {

  private static String labels(Axis axis) {
    return String.join(" ", axis.ticks().stream().map(Axis.Tick::label).toList());
  }

  @Test
  void ticksAreRoundNumbersAroundWhatIsShown() {
    assertThat(labels(Axis.of(0.13, 0.97))).isEqualTo("0.0 0.2 0.4 0.6 0.8 1.0");
    assertThat(labels(Axis.of(-3, 17))).isEqualTo("-5 0 5 10 15 20");
    assertThat(labels(Axis.of(0.0101, 0.0139))).isEqualTo("0.010 0.011 0.012 0.013 0.014");
    assertThat(labels(Axis.exactly(1, 30_000)))
        .isEqualTo("5,000 10,000 15,000 20,000 25,000 30,000");
    assertThat(labels(Axis.of(0, 3e12))).contains("1.00e+12");
  }

  @Test
  void oneNumberHasRoomAroundIt() {
    assertThat(Axis.of(5, 5)).isEqualTo(Axis.exactly(4.5, 5.5));
    assertThat(Axis.of(0, 0)).isEqualTo(Axis.exactly(-1, 1));
    assertThat(Axis.exactly(3, 3)).isEqualTo(Axis.exactly(3, 4));
    assertThat(Axis.of(Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY))
        .as("there are none")
        .isEqualTo(Axis.exactly(0, 1));
  }

  @Test
  void powersOfTenAreEquallyFarApart() {
    Axis axis = Axis.logarithmicTo(1_000);
    assertThat(labels(axis)).isEqualTo("1 10 100 1,000");
    assertThat(axis.place(1)).isZero();
    assertThat(axis.place(10)).isCloseTo(1 / 3.0, within(1e-15));
    assertThat(labels(Axis.logarithmicTo(30))).isEqualTo("1 2 5 10 20");
    assertThat(Axis.logarithmicTo(1).max()).isEqualTo(10);
  }

  @Test
  void decaysHaveTicksThatAreDecays() {
    assertThat(labels(Axis.ofDecays(0.2))).isEqualTo("0.0 0.5 0.9");
    assertThat(labels(Axis.ofDecays(2.1))).isEqualTo("0.0 0.5 0.9 0.95 0.99 0.995 0.999");
    assertThat(labels(Axis.ofDecays(4))).isEqualTo("0.0 0.9 0.99 0.999 0.9999");
  }
}
