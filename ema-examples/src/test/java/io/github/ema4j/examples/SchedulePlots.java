package io.github.ema4j.examples;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.examples.Picture.Line;
import io.github.ema4j.schedule.PowerFunction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.style.XYStyler;

/** The pictures in docs/schedules.md. What they show was measured on averages that ran. */
final class SchedulePlots {
  private static final int STEPS = 10_000;
  private static final int BINS = 100;

  /** Steps, ever further apart. */
  private static final int[] SAMPLED =
      IntStream.rangeClosed(0, 200)
          .map(i -> (int) Math.rint(StrictMath.pow(STEPS, i / 200.0)))
          .distinct()
          .toArray();

  private static final ImmutableMap<String, DecaySchedule> WARM_UPS =
      ImmutableMap.<String, DecaySchedule>builder()
          .put("constant", DecaySchedule.constant(0.999))
          .put("inverse-power-warmup", DecaySchedule.inversePowerWarmup(0.999))
          .put("num-updates-warmup", DecaySchedule.numUpdatesWarmup(0.999))
          .put("exponential-ramp, tau 100", DecaySchedule.exponentialRamp(0.999).withTau(100))
          .put("momentum-annealing, gamma 10", DecaySchedule.momentumAnnealing(1e-3).withGamma(10))
          .put("linear from .9 in 500", DecaySchedule.linear(0.9, 0.999, 500))
          .put("cosine from .9 in 500", DecaySchedule.cosine(0.9, 0.999, 500))
          .build();

  private static final ImmutableMap<String, DecaySchedule> OTHERS =
      ImmutableMap.<String, DecaySchedule>builder()
          .put("half-life 1,000", DecaySchedule.halfLife(1_000))
          .put("edm2-ramp to 500", DecaySchedule.edm2Ramp(500))
          .put(
              "piecewise .99, .9997, .999",
              DecaySchedule.piecewise(Map.of(1L, 0.99, 1_000L, 0.9997, 8_000L, 0.999)))
          .put("uniform-mean from 5,000", DecaySchedule.uniformMean().delayedBy(5_000))
          .put("power-function, sigmaRel .05", PowerFunction.ofSigmaRel(0.05))
          .put("power-function, sigmaRel .2", PowerFunction.ofSigmaRel(0.2))
          .put("constant .9997, zero-debiased", DecaySchedule.constant(0.9997).zeroDebiased())
          .build();

  private SchedulePlots() {}

  static List<Picture> pictures() {
    List<Picture> pictures = new ArrayList<>();
    // A warm-up is seen in what comes early.
    pictures.addAll(pictures("warm-ups", "Warm-ups towards .999", WARM_UPS, STEPS / 10));
    pictures.addAll(pictures("others", "Other schedules", OTHERS, STEPS));
    return pictures;
  }

  private static List<Picture> pictures(
      String group, String title, ImmutableMap<String, DecaySchedule> schedules, int now) {
    List<Line> decays = new ArrayList<>();
    List<Line> pasts = new ArrayList<>();
    schedules.forEach(
        (name, schedule) -> {
          decays.add(decays(name, schedule));
          pasts.add(past(name, schedule, now));
        });
    return List.of(
        new Picture("decay-" + group, decays, decayChart(title, decays)),
        new Picture("past-" + group, pasts, pastChart(title, pasts, now)));
  }

  private static Line decays(String name, DecaySchedule schedule) {
    double[] nines = new double[SAMPLED.length];
    StateDict<ArrayTensor> model = model(new double[1]);
    try (ModelEma<StateDict<ArrayTensor>> ema = average(schedule, model)) {
      for (int step = 1, sample = 0; step <= STEPS; step++) {
        ema.update(model);
        if (step == SAMPLED[sample]) {
          nines[sample] = -StrictMath.log10(1 - ema.progress().decay());
          sample++;
        }
      }
    }
    return Line.of(name, Arrays.stream(SAMPLED).asDoubleStream(), Arrays.stream(nines));
  }

  /**
   * Runs an average of a model that is, at each step, the unit vector of the step's bin: its
   * elements are the weights that the bins have in it.
   */
  private static Line past(String name, DecaySchedule schedule, int now) {
    double[] weights = new double[BINS];
    int bin = now / BINS;
    StateDict<ArrayTensor> model = model(weights);
    try (ModelEma<StateDict<ArrayTensor>> ema = average(schedule, model)) {
      for (int step = 0; step < now; step++) {
        Arrays.fill(weights, 0);
        weights[step / bin] = 1;
        ema.update(model);
      }
      ema.copyTo(model);
    }
    return Line.of(
        name,
        IntStream.range(0, BINS).mapToDouble(i -> (i + 0.5) * bin),
        Arrays.stream(weights).map(weight -> weight * BINS));
  }

  private static StateDict<ArrayTensor> model(double[] values) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("values", ArrayTensor.of(values, values.length))
        .build();
  }

  private static ModelEma<StateDict<ArrayTensor>> average(
      DecaySchedule schedule, StateDict<ArrayTensor> model) {
    return ModelEma.builder(ArrayBackend.adapter())
        .strategy(EmaStrategy.nameMatched(0).scheduled(schedule))
        .canary(false)
        .build(model);
  }

  private static XYChart decayChart(String title, List<Line> lines) {
    XYChart chart = Picture.chart(title + ": decay of each step", "step", "decay", lines);
    XYStyler styler = chart.getStyler();
    styler.setXAxisLogarithmic(true);
    styler.setXAxisMax((double) STEPS);
    styler.setYAxisMin(0.0);
    styler.setYAxisMax(3.75);
    styler.setYAxisTickMarkSpacingHint(80);
    styler.setyAxisTickLabelsFormattingFunction(SchedulePlots::decay);
    return chart;
  }

  /** Returns a decay whose distance from 1 is a power of ten. XChart wants no label twice. */
  private static String decay(double nines) {
    int digits = (int) Math.max(1, Math.ceil(nines - 1e-9) + (nines % 1 == 0 ? 0 : 1));
    return String.format(Locale.ROOT, "%." + digits + "f", 1 - Math.pow(10, -nines)).substring(1);
  }

  private static XYChart pastChart(String title, List<Line> lines, int now) {
    XYChart chart =
        Picture.chart(
            String.format(Locale.ROOT, "%s: weight of the past after %,d steps", title, now),
            "step of the past model",
            "weight, where that in the plain mean is 1",
            lines);
    chart.getStyler().setXAxisMax((double) now);
    chart.getStyler().setYAxisMin(0.0);
    return chart;
  }
}
