package io.github.ema4j.examples;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.examples.Picture.Line;
import io.github.ema4j.series.Alpha;
import io.github.ema4j.series.Band;
import io.github.ema4j.series.MovingAverage;
import java.awt.Color;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The pictures in docs/series.md. What they show was measured on averages that ran. */
final class SeriesPlots {
  private static final int WINDOW = 20;

  /** Averages whose values are equally old. */
  private static final ImmutableMap<String, Supplier<MovingAverage>> LINEAR =
      ImmutableMap.of(
          "simple(20)", () -> MovingAverage.simple(WINDOW),
          "weighted(29)", () -> MovingAverage.weighted(29), // whose lag is 28/3
          "exponential(2/21)", () -> MovingAverage.exponential(Alpha.ofWindow(WINDOW)));

  private SeriesPlots() {}

  static List<Picture> pictures() {
    return List.of(response(), steps(), period(), band());
  }

  /** How much of a wave passes, by its period. */
  private static Picture response() {
    double[] periods = IntStream.rangeClosed(0, 300).mapToDouble(SeriesPlots::period).toArray();
    List<Line> lines = new ArrayList<>();
    LINEAR.forEach(
        (name, maker) ->
            lines.add(
                Line.of(
                    name,
                    Arrays.stream(periods),
                    Arrays.stream(periods).map(period -> gain(maker.get(), period)))));
    XYChart chart =
        Picture.chart("What passes of a wave", "period, in values", "amplitude left", lines);
    chart.getStyler().setXAxisLogarithmic(true);
    chart.getStyler().setXAxisMin(2.0);
    chart.getStyler().setXAxisMax(1_000.0);
    chart.getStyler().setYAxisMin(0.0);
    chart.getStyler().setYAxisMax(1.0);
    chart.getStyler().setDecimalPattern("#,##0.##");
    return new Picture("series-response", lines, chart);
  }

  /** Returns periods from 2 to 1,000. */
  private static double period(int i) {
    return 2 * StrictMath.pow(500, i / 300.0);
  }

  /** Returns what an average leaves of a wave of amplitude 1, from its answer to an impulse. */
  private static double gain(MovingAverage average, double period) {
    average.smooth(new double[1_000]);
    double cosine = 0;
    double sine = 0;
    for (int k = 0; k < 1_000; k++) {
      double answer = average.add(k == 0 ? 1 : 0);
      cosine += answer * StrictMath.cos(2 * StrictMath.PI * k / period);
      sine += answer * StrictMath.sin(2 * StrictMath.PI * k / period);
    }
    return Math.sqrt(cosine * cosine + sine * sine);
  }

  /** A mean that jumps and then rises, under noise. */
  private static Picture steps() {
    Random random = new Random(4);
    double[] stream =
        IntStream.range(0, 300).mapToDouble(k -> level(k) + 0.25 * random.nextGaussian()).toArray();
    List<Line> lines =
        List.of(
            line("values", stream),
            line("simple(20)", MovingAverage.simple(WINDOW).smooth(stream)),
            line(
                "exponential(2/21)",
                MovingAverage.exponential(Alpha.ofWindow(WINDOW)).smooth(stream)),
            line("kalman(0.0006, 0.0625)", MovingAverage.kalman(6e-4, 0.0625).smooth(stream)),
            line("kaufman(10, 2, 30)", MovingAverage.kaufman(10, 2, 30).smooth(stream)),
            line(
                "adaptive(2/21, 0.05, 5, 60)",
                MovingAverage.adaptive(Alpha.ofWindow(WINDOW), 0.05, 5, 60).smooth(stream)));
    XYChart chart = chart("A mean that jumps and rises", 300, lines);
    faint(chart, "values");
    return new Picture("series-steps", lines, chart);
  }

  private static double level(int k) {
    double jumped = k < 100 ? 0 : 2;
    return k < 200 ? jumped : 2 + (k - 200) / 50.0;
  }

  /** Windows of parts of a period. */
  private static Picture period() {
    int period = 40;
    Random random = new Random(5);
    double[] stream =
        IntStream.range(0, 200)
            .mapToDouble(
                k -> StrictMath.sin(2 * StrictMath.PI * k / period) + 0.3 * random.nextGaussian())
            .toArray();
    List<Line> lines =
        List.of(
            line("values, period 40", stream),
            line("simple(10)", MovingAverage.simple(10).smooth(stream)),
            line("simple(20)", MovingAverage.simple(20).smooth(stream)),
            line("simple(40)", MovingAverage.simple(40).smooth(stream)));
    XYChart chart = chart("Windows of a quarter, half and all of a period", 200, lines);
    faint(chart, "values, period 40");
    return new Picture("series-period", lines, chart);
  }

  /** A loss that falls, with outliers. */
  private static Picture band() {
    Random random = new Random(6);
    Band band = Band.of(Alpha.ofWindow(40), 3);
    int steps = 300;
    double[] stream = new double[steps];
    double[] lower = new double[steps];
    double[] upper = new double[steps];
    List<Integer> alarms = new ArrayList<>();
    for (int k = 0; k < steps; k++) {
      double noise = 0.06 * random.nextGaussian();
      double spike = k == 120 || k == 230 ? 0.7 : 0;
      stream[k] = 2 / (1 + k / 80.0) + noise + spike;
      lower[k] = band.lower();
      upper[k] = band.upper();
      if (band.add(stream[k])) {
        alarms.add(k);
      }
    }
    List<Line> lines =
        List.of(
            line("values", stream),
            line("mean - 3 sigma", lower, 2),
            line("mean + 3 sigma", upper, 2),
            Line.of(
                "alarms",
                alarms.stream().mapToDouble(k -> k),
                alarms.stream().mapToDouble(k -> stream[k])));
    XYChart chart = chart("A band of 3 sigma, alpha 2/41", 300, lines);
    XYSeries marks = chart.getSeriesMap().get("alarms");
    marks.setMarkerColor(marks.getLineColor());
    marks.setMarker(SeriesMarkers.DIAMOND);
    marks.setXYSeriesRenderStyle(XYSeriesRenderStyle.Scatter);
    return new Picture("series-band", lines, chart);
  }

  private static XYChart chart(String title, double end, List<Line> lines) {
    XYChart chart = Picture.chart(title, "value", "", lines);
    chart.getStyler().setXAxisMin(0.0);
    chart.getStyler().setXAxisMax(end);
    return chart;
  }

  private static void faint(XYChart chart, String line) {
    chart.getSeriesMap().get(line).setLineColor(new Color(0xB0B0B0)).setLineWidth(0.8f);
  }

  private static Line line(String name, double[] values) {
    return line(name, values, 0);
  }

  private static Line line(String name, double[] values, int from) {
    return Line.of(
        name,
        IntStream.range(from, values.length).asDoubleStream(),
        DoubleStream.of(values).skip(from));
  }
}
