package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.series.Alpha;
import io.github.ema4j.series.MovingAverage;
import java.util.Random;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class SmoothSeriesTest {

  @Test
  void aSpikeAndANaNAreToldAndNothingElse() {
    Random random = new Random(7);
    double[] losses = random.doubles(500, 0.4, 0.6).toArray();
    losses[300] = 3;
    losses[400] = Double.NaN;

    assertThat(SmoothSeries.alarms(losses)).containsExactly(300, 400);
  }

  @Test
  void aLossThatFallsSteadilyInItsLogarithmIsFollowedWithTheLagOfTheWindow() {
    double[] losses = DoubleStream.iterate(1, loss -> loss * 0.99).limit(2_000).toArray();

    double[] smooth = SmoothSeries.smoothed(losses);

    assertThat(smooth[1_999] / losses[1_999]).isCloseTo(Math.pow(0.99, -24.5), within(1e-9));
  }

  @Test
  void servingGoesOnWhereTrainingEnded() {
    double[] history = new Random(8).doubles(100).toArray();
    MovingAverage straight = MovingAverage.exponential(Alpha.ofHalfLife(12));
    straight.smooth(history);

    assertThat(SmoothSeries.servedAfterTraining(history, 3)).isEqualTo(straight.add(3));
  }
}
