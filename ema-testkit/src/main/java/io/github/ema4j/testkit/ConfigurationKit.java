package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.base.Splitter;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.SeededModels.Values;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Checks that a configuration's text alone decides how a model is averaged.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class ConfigurationKit<M, T> extends RuleKit<M, T> {

  /**
   * If this fails for all, look at U01; if for one, at how often {@code update} is called.
   *
   * @param decays of the first three updates, from the formulas
   */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "decay = 0.75 | 0.75, 0.75, 0.75",
        "type = inverse-power-warmup, power = 1 | 0.0, 0.5, 0.6666666666666666",
        "type = num-updates-warmup | 0.18181818181818182, 0.25, 0.3076923076923077",
        "type = exponential-ramp, decay = 0.5, tau = 2 | 0.1967346701436833, 0.31606027941427883, 0.3884349199257851",
        "type = momentum-annealing, momentum = 0.1, gamma = 1 | 0.0, 0.5, 0.6666666666666666",
        "type = linear, decay = 0.8, duration = 4 | 0.2, 0.4, 0.6",
        "type = cosine, decay = 0.8, duration = 4 | 0.11715728752538102, 0.4, 0.682842712474619",
        "type = piecewise, decayFromStep { 1 = 0.5, 3 = 0.25 } | 0.5, 0.5, 0.25",
        "type = half-life, halfLife = 2 | 0.7071067811865476, 0.7071067811865476, 0.7071067811865476",
        "type = half-life, halfLifeEpochs = 0.5, timePerEpoch = 2 | 0.5, 0.5, 0.5",
        "type = edm2-ramp, halfLife = 2, rampRatio = 0.5 | 0.25, 0.5, 0.6299605249474366",
        "type = uniform-mean | 0.0, 0.5, 0.6666666666666666",
        "type = power-function, gamma = 1 | 0.0, 0.25, 0.4444444444444444",
        "decay = 0.5, scaling = 2 | 0.25, 0.25, 0.25",
        "decay = 0.5, minimum = 0.6 | 0.6, 0.6, 0.6",
        "decay = 0.5, delay = 1 | 0.0, 0.5, 0.5",
        "decay = 0.5, zeroDebias = true | 0.0, 0.3333333333333333, 0.42857142857142855",
        "of { decay = 0.5, delay = 1 }, minimum = 0.25 | 0.25, 0.5, 0.5"
      })
  @DisplayName("EMA-F01 The configuration alone decides the schedule")
  protected void schedules(String schedule, String decays) {
    StateDict<ArrayTensor> start = filled(models().network(), 1, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = configured(model, "schedule { " + schedule + " }");
    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    long seed = 2;
    for (String decay : Splitter.on(", ").split(decays)) {
      StateDict<ArrayTensor> later = filled(start, seed++, Values.ORDINARY);
      write(later, model);
      ema.update(model);
      expected.update(later, Double.parseDouble(decay));
    }
    evidence.sameBits(ema.state(), expected.entries());
  }

  /** If this fails, look at P08 and P10. */
  @Test
  @DisplayName("EMA-F02 The configuration alone decides how entries pair")
  protected void pairing() {
    StateDict<ArrayTensor> start = filled(models().network(), 5, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 6, Values.ORDINARY);
    M model = model(start);
    M others = model(PolicyKit.renamed(later, name -> "other." + name));
    ModelEma<M> ordered = configured(model, "strategy = ordered, schedule.decay = 0.5");
    ModelEma<M> nameMatched = configured(model, "strategy = name-matched, schedule.decay = 0.5");

    ordered.update(others);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> nameMatched.update(others))
        .withMessageContaining("other.first.weight");

    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    expected.update(later, 0.5);
    evidence.sameBits(ordered.state(), expected.entries());
    assertSameBits("the average", bits(nameMatched.state()), bits(start));
  }

  /** If this fails, look at U02 and P02. */
  @Test
  @DisplayName("EMA-F03 A profile and what stands above it decide rule and policy")
  protected void profiles() {
    StateDict<ArrayTensor> start = filled(models().network(), 7, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(start, 8, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema =
        configured(
            model, "extends = timm-v2, policy { statistic = copy, counter = copy }, every = 1");
    write(later, model);

    ema.update(model);

    OracleAverage expected =
        new OracleAverage(
            start,
            AveragingRule.WEIGHTED_SUM,
            type -> type,
            entry -> entry.role() == Role.PARAMETER ? Treatment.AVERAGE : Treatment.COPY);
    expected.update(later, 0.9999);
    evidence.sameBits(ema.state(), expected.entries());
  }

  private ModelEma<M> configured(M model, String average) {
    return average(model, EmaConfig.parse("ema.average { " + average + " }").withCanary(false));
  }
}
