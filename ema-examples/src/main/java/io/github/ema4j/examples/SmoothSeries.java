package io.github.ema4j.examples;

import io.github.ema4j.series.Alpha;
import io.github.ema4j.series.Band;
import io.github.ema4j.series.MovingAverage;
import io.github.ema4j.series.NonFinite;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Moving averages of metrics, features and labels. */
public final class SmoothSeries {

  private SmoothSeries() {}

  /** Returns the steps at which a loss was out of the ordinary. */
  public static List<Integer> alarms(double[] losses) {
    List<Integer> alarms = new ArrayList<>();
    // tag::band[]
    Band band = Band.of(Alpha.ofWindow(100), 4).onNonFinite(NonFinite.SKIP);
    for (int step = 0; step < losses.length; step++) {
      if (band.add(losses[step])) {
        alarms.add(step); // beyond 4 sigma, NaN or infinite
      }
    }
    // end::band[]
    return alarms;
  }

  /** Returns the geometric moving average of a loss that falls by orders of magnitude. */
  public static double[] smoothed(double[] losses) {
    // tag::log[]
    MovingAverage average = MovingAverage.biasCorrected(Alpha.ofWindow(50));
    double[] smooth =
        Arrays.stream(losses).map(loss -> Math.exp(average.add(Math.log(loss)))).toArray();
    // end::log[]
    return smooth;
  }

  /**
   * Returns the last of the smoothed values of a feature that is served after it was trained on.
   */
  public static double servedAfterTraining(double[] history, double next) {
    // tag::feature[]
    MovingAverage feature = MovingAverage.exponential(Alpha.ofHalfLife(12));
    double[] training = feature.smooth(history);
    String state = feature.toJson(); // goes into the model's artefact

    MovingAverage serving = MovingAverage.ofJson(state);
    double served = serving.add(next); // the same bits as if training had gone on
    // end::feature[]
    return training.length == 0 ? Double.NaN : served;
  }
}
