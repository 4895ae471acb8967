package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.ShadowType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.SeededModels.Values;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Checks that averages have, bit for bit, the values that they should have.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class UpdateKit<M, T> extends RuleKit<M, T> {
  /** Above what one thread does alone, and no multiple of any block. */
  private static final int LARGE = (1 << 21) + 11;

  private static final double[] DECAYS = {0.9999, 0.3};

  /** If this fails, look at {@code memory}: a framework's own operation must not come between. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @DisplayName("EMA-U01 Lerp of float32 is exact, whatever sizes and magnitudes")
  protected void lerpOfFloat32(Values values) {
    exactly(models().sizes(ElementType.F32), AveragingRule.LERP, ShadowType.AUTO, values, 1);
    if (values == Values.ORDINARY) {
      exactly(
          models().aboveBlocks(ElementType.F32), AveragingRule.LERP, ShadowType.AUTO, values, 1);
    }
  }

  /** If this fails where U01 holds, look at the rule that the average was started with. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @DisplayName("EMA-U02 The weighted sum of float32 is exact, whatever sizes and magnitudes")
  protected void weightedSumOfFloat32(Values values) {
    AveragingRule rule = AveragingRule.WEIGHTED_SUM;
    exactly(models().sizes(ElementType.F32), rule, ShadowType.AUTO, values, 2);
    if (values == Values.ORDINARY) {
      exactly(models().aboveBlocks(ElementType.F32), rule, ShadowType.AUTO, values, 2);
    }
  }

  /** If this fails, look for a place where doubles become floats. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.F64)
  @DisplayName("EMA-U03 Averages of float64 are exact under both rules")
  protected void averagesOfFloat64(Values values) {
    exactly(models().vector(ElementType.F64), ShadowType.AUTO, values, 3);
  }

  /** If this fails, look at how halves are described and opened. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.F16)
  @DisplayName("EMA-U04 Float16 models are averaged in float32")
  protected void float16InFloat32(Values values) {
    exactly(models().shapes(ElementType.F16), ShadowType.AUTO, values, 4);
  }

  /** If this fails, look at how bfloat16 is described: it has the size of float16. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.BF16)
  @DisplayName("EMA-U05 Bfloat16 models are averaged in float32")
  protected void bfloat16InFloat32(Values values) {
    exactly(models().shapes(ElementType.BF16), ShadowType.AUTO, values, 5);
  }

  /** If this fails where U04 holds, look at what {@code allocate} makes of float16. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.F16)
  @DisplayName("EMA-U06 Float16 averages round once")
  protected void float16InItsOwnType(Values values) {
    exactly(models().shapes(ElementType.F16), ShadowType.MODEL, values, 6);
  }

  /** If this fails where U05 holds, look at what {@code allocate} makes of bfloat16. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.BF16)
  @DisplayName("EMA-U07 Bfloat16 averages round once")
  protected void bfloat16InItsOwnType(Values values) {
    exactly(models().shapes(ElementType.BF16), ShadowType.MODEL, values, 7);
  }

  /** If this fails, look at {@code allocate} where its type is not the model's. */
  @ParameterizedTest(name = "{0}")
  @EnumSource
  @Needs(Capability.F64)
  @DisplayName("EMA-U08 A float64 average of a float32 model is exact")
  protected void float32InFloat64(Values values) {
    exactly(models().shapes(ElementType.F32), ShadowType.F64, values, 8);
  }

  /** If this fails, look at the order of sizes, and at tensors with one element or none. */
  @Test
  @DisplayName("EMA-U09 Tensors of 0 to 5 dimensions are averaged")
  protected void shapesOfFloat32() {
    exactly(models().shapes(ElementType.F32), ShadowType.AUTO, Values.ORDINARY, 9);
  }

  /** If this fails, look at strides: of the model, and of what {@code allocate} made like it. */
  @Test
  @Needs(Capability.STRIDED)
  @DisplayName("EMA-U10 Strided tensors are averaged element by element")
  protected void stridedTensors() {
    exactly(models().transposed(ElementType.F32), ShadowType.AUTO, Values.ORDINARY, 10);
  }

  /** If this fails, look at the types of integers: signs, sizes, and roles. */
  @Test
  @DisplayName("EMA-U11 Integers are copied")
  protected void integersAreCopied() {
    for (ElementType type : integers()) {
      exactly(models().vector(type), AveragingRule.LERP, ShadowType.AUTO, Values.ORDINARY, 11);
    }
  }

  /** If this fails where U11 holds, look at the policy that the average was started with. */
  @Test
  @DisplayName("EMA-U12 Integers that are to be averaged are truncated as timm's are")
  protected void integersAreTruncated() {
    for (ElementType type : integers()) {
      StateDict<ArrayTensor> start = filled(models().vector(type), 12, Values.ORDINARY);
      EmaConfig config = EmaConfig.preset("timm-v1").withStrategy(EmaStrategy.nameMatched(0.7));
      M model = model(start);
      ModelEma<M> ema = average(model, config);
      OracleAverage expected =
          new OracleAverage(
              start, AveragingRule.WEIGHTED_SUM, same -> same, entry -> Treatment.AVERAGE);
      for (int step = 1; step <= 3; step++) {
        StateDict<ArrayTensor> values = filled(start, 12 + step, Values.ORDINARY);
        write(values, model);
        ema.update(model);
        expected.update(values, 0.7);
      }
      evidence.sameBits("integers " + type, ema.state(), expected.entries());
    }
  }

  /** If this fails, look at what is kept from one update to the next. */
  @Test
  @DisplayName("EMA-U13 After 10,000 updates the average is exact and near the true one")
  protected void longRuns() {
    StateDict<ArrayTensor> start = filled(models().matrix(), 13, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, lerp(0.999));
    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    T live = view(model).entries().get(0).tensor();
    double[] trend = numbers(bits(start).get(0));
    StateDict<ArrayTensor> values = ArrayBackend.adapter().copy(start);
    Random random = new Random(14);
    for (int step = 1; step <= 10_000; step++) {
      SeededModels.fill(values, random, Values.ORDINARY);
      long[] now = bits(values).get(0);
      HostTensors.write(backend(), live, now);
      ema.update(model);
      expected.update(values, 0.999);
      double[] seen = numbers(now);
      Arrays.setAll(trend, i -> 0.999 * trend[i] + 0.001 * seen[i]);
    }
    evidence.sameBits("10,000 updates", ema.state(), expected.entries());
    assertThat(numbers(bits(ema.state()).get(0))).containsExactly(trend, within(1e-5));
  }

  /** If this fails, an operation of the framework's is used where core's should be. */
  @Test
  @DisplayName("EMA-U14 A decay of 0 gives the model, a decay of 1 leaves the average")
  protected void extremeDecays() {
    for (double decay : new double[] {0, 1}) {
      StateDict<ArrayTensor> start = filled(models().network(), 14, Values.ORDINARY);
      StateDict<ArrayTensor> later = filled(models().network(), 15, Values.ORDINARY);
      M model = model(start);
      ModelEma<M> ema = average(model, lerp(decay));
      write(later, model);
      ema.update(model);
      for (int i = 0; i < start.entries().size(); i++) {
        boolean stays = decay == 1 && start.entries().get(i).role() != Role.COUNTER;
        assertThat(bits(ema.state()).get(i))
            .as("'%s' at decay %s", names(start).get(i), decay)
            .isEqualTo(bits(stays ? start : later).get(i));
      }
    }
  }

  /** If this fails, average and model have memory in common, or one is written for the other. */
  @Test
  @DisplayName("EMA-U15 An update only reads the model")
  protected void updatesOnlyReadTheModel() {
    StateDict<ArrayTensor> values = filled(models().network(), 16, Values.SPECIAL);
    M model = model(filled(models().network(), 17, Values.ORDINARY));
    ModelEma<M> ema = average(model, lerp(0.5));
    write(values, model);

    ema.update(model);

    assertSameBits("the model", bits(model), bits(values));
  }

  /** If this fails, look at {@code storage}: the two names must have the same. */
  @Test
  @Needs(Capability.TIED)
  @DisplayName("EMA-U16 A tensor under two names is averaged once")
  protected void tiedTensorsAreAveragedOnce() {
    exactly(models().tied(), AveragingRule.LERP, ShadowType.AUTO, Values.ORDINARY, 18);
  }

  /** If this fails, the schedule's clock does not get the time that passed. */
  @Test
  @DisplayName("EMA-U17 One update after k steps decays k times as much")
  protected void elapsedTimeCounts() {
    StateDict<ArrayTensor> start = filled(models().matrix(), 20, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(models().matrix(), 21, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, lerp(0.9));
    write(later, model);

    ema.update(model, 5);

    double left = 0.9 * 0.9 * 0.9 * 0.9 * 0.9;
    double[] before = numbers(bits(start).get(0));
    double[] seen = numbers(bits(later).get(0));
    double[] average = numbers(bits(ema.state()).get(0));
    for (int i = 0; i < average.length; i++) {
      assertThat(average[i]).isCloseTo(left * before[i] + (1 - left) * seen[i], within(1e-6));
    }
  }

  /** If this fails, the decay that is applied is not the one that the schedule gives. */
  @Test
  @DisplayName("EMA-U18 Each update has the decay of its schedule")
  protected void schedulesAreFollowed() {
    StateDict<ArrayTensor> start = filled(models().matrix(), 22, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema =
        average(
            model,
            lerp(0)
                .withStrategy(
                    EmaStrategy.nameMatched(0)
                        .scheduled(DecaySchedule.inversePowerWarmup(0.9999))));
    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    for (int step = 1; step <= 6; step++) {
      StateDict<ArrayTensor> values = filled(start, 22 + step, Values.ORDINARY);
      write(values, model);
      ema.update(model);
      double decay = 1 - Math.pow(step, -2 / 3.0);
      assertThat(ema.progress().decay()).isCloseTo(decay, within(1e-12));
      expected.update(values, ema.progress().decay());
      evidence.sameBits("warm-up step " + step, ema.state(), expected.entries());
    }
  }

  /** If this fails, the rule is not lerp: that of a weighted sum drifts. */
  @Test
  @DisplayName("EMA-U19 The average of a constant is that constant")
  protected void constantsAreKept() {
    StateDict<ArrayTensor> start = filled(models().sizes(ElementType.F32), 30, Values.WIDE);
    M model = model(start);
    for (double decay : new double[] {0.0001, 0.3, 0.9, 0.9999, 0.999999}) {
      ModelEma<M> ema = average(model, lerp(decay));
      for (int step = 0; step < 3; step++) {
        ema.update(model);
      }
      assertSameBits("decay " + decay, bits(ema.state()), bits(start));
    }
  }

  /** If this fails, look at {@code tensorType}, and at whether handles are those of the average. */
  @Test
  @DisplayName("EMA-U20 A user's rule gets the framework's tensors and the decay, in place")
  protected void usersRules() {
    StateDict<ArrayTensor> start = filled(models().network(), 31, Values.ORDINARY);
    StateDict<ArrayTensor> later = filled(models().network(), 32, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, lerp(0.75));
    write(later, model);

    ema.update(
        model,
        backend().tensorType(),
        (average, from, decay) -> {
          assertThat(decay).isEqualTo(0.75);
          long[] bits = HostTensors.bits(backend(), from);
          Arrays.setAll(bits, i -> bits[i] ^ Integer.MIN_VALUE);
          HostTensors.write(backend(), average, bits);
        });

    for (int k = 0; k < start.entries().size(); k++) {
      boolean counter = start.entries().get(k).role() == Role.COUNTER;
      long[] expected = bits(later).get(k);
      Arrays.setAll(expected, i -> counter ? expected[i] : expected[i] ^ Integer.MIN_VALUE);
      assertThat(bits(ema.state()).get(k)).as(names(start).get(k)).isEqualTo(expected);
    }
  }

  /** If this fails, look at {@code withoutGradient}, and at the copy behind a user's rule. */
  @Test
  @DisplayName("EMA-U21 A user's rule that fails leaves the average as it was")
  protected void usersRulesThatFail() {
    StateDict<ArrayTensor> start = filled(models().network(), 33, Values.SPECIAL);
    M model = model(start);
    ModelEma<M> ema = average(model, lerp(0.75));
    write(filled(models().network(), 34, Values.ORDINARY), model);
    int[] calls = {0};

    assertThatThrownBy(
            () ->
                ema.update(
                    model,
                    backend().tensorType(),
                    (average, from, decay) -> {
                      HostTensors.copy(backend(), from, backend(), average);
                      if (++calls[0] == 3) {
                        throw new IllegalStateException("made to fail");
                      }
                    }))
        .hasMessageContaining("made to fail");

    assertSameBits("the average", bits(ema.state()), bits(start));
    assertThat(ema.progress().updates()).isZero();
  }

  /** If this fails, entries are averaged where they should be copied. */
  @Test
  @DisplayName("EMA-U22 Setting makes the average a copy of the model")
  protected void settingCopies() {
    M model = model(filled(models().network(), 35, Values.ORDINARY));
    ModelEma<M> ema = average(model, lerp(0.9));
    StateDict<ArrayTensor> later = filled(models().network(), 36, Values.SPECIAL);
    write(later, model);

    ema.set(model);

    assertSameBits("the average", bits(ema.state()), bits(later));
  }

  /** If this fails, an address or a buffer is kept from one update to the next. */
  @Test
  @Needs(Capability.MOVING)
  @DisplayName("EMA-U23 A model that moved is averaged where it is now")
  protected void updatesFollowAModelThatMoved() {
    StateDict<ArrayTensor> start = filled(models().network(), 37, Values.ORDINARY);
    M model = model(start);
    ModelEma<M> ema = average(model, lerp(0.5));
    OracleAverage expected = new OracleAverage(start, AveragingRule.LERP);
    ema.update(model);
    expected.update(start, 0.5);
    subject().relocate(model);
    StateDict<ArrayTensor> later = filled(models().network(), 38, Values.ORDINARY);
    write(later, model);

    ema.update(model);

    expected.update(later, 0.5);
    evidence.sameBits(ema.state(), expected.entries());
  }

  /** If this fails, look at {@code DeviceBackend}: scalars, order of operands, and streams. */
  @Test
  @Needs(Capability.OTHER_DEVICES)
  @DisplayName("EMA-U24 Averages on another device are within the bound of their roundings")
  protected void averagesOnAnotherDevice() {
    boundedOn(subject().otherDevice());
  }

  /** If this fails, look at what U24 says. */
  @Test
  @Needs(Capability.CUDA)
  @DisplayName("EMA-U25 Averages on CUDA devices are within the bound of their roundings")
  protected void averagesOnCuda() {
    Device cuda = new Device("cuda", 0);
    try {
      TensorSpec spec = TensorSpec.contiguous(ElementType.F32, 1).withDevice(cuda);
      backend().release(backend().allocate(List.of(spec)));
    } catch (UnsupportedOperationException e) {
      assumeTrue(false, "no CUDA device is here: " + e.getMessage());
    }
    boundedOn(cuda);
  }

  /** If this fails where U01 holds, look at {@code memory} of large tensors: room, and threads. */
  @Test
  @DisplayName("EMA-U26 A tensor of several megabytes is averaged exactly, by however many threads")
  protected void largeTensors() {
    StateDict<ArrayTensor> values =
        StateDict.builder(ArrayBackend.instance())
            .parameter("large", SeededModels.tensor(ElementType.F32, LARGE))
            .build();
    Random random = new Random(42);
    SeededModels.fill(values, random, Values.ORDINARY);
    M model = model(values);
    ModelEma<M> ema = average(model, lerp(0.9));
    OracleAverage expected = new OracleAverage(values, AveragingRule.LERP);
    SeededModels.fill(values, random, Values.ORDINARY);
    write(values, model);

    ema.update(model);

    expected.update(values, 0.9);
    evidence.sameBits("large", ema.state(), expected.entries());
  }

  private void boundedOn(Device device) {
    for (AveragingRule rule : AveragingRule.values()) {
      StateDict<ArrayTensor> start = filled(models().shapes(ElementType.F32), 40, Values.ORDINARY);
      StateDict<ArrayTensor> later = filled(start, 41, Values.ORDINARY);
      M model = model(start);
      ModelEma<M> ema = average(model, lerp(0.9).withRule(rule).withDevice(device));
      write(later, model);
      ema.update(model);
      OracleAverage expected = new OracleAverage(start, rule);
      expected.update(later, 0.9);
      ema.to(Device.CPU);
      for (int k = 0; k < start.entries().size(); k++) {
        assertWithinBound(
            bits(ema.state()).get(k), expected.entries().get(k), bits(start), bits(later), k);
      }
    }
  }

  private void assertWithinBound(
      long[] actual,
      OracleAverage.Values expected,
      List<long[]> averages,
      List<long[]> models,
      int entry) {
    ElementType type = expected.type();
    for (int i = 0; i < actual.length; i++) {
      double e = Oracle.value(type, averages.get(entry)[i]);
      double m = Oracle.value(type, models.get(entry)[i]);
      evidence.off(Bound.ulps(type, actual[i], expected.bits()[i]));
      assertThat(Oracle.value(type, actual[i]))
          .as("'%s', element %d", expected.name(), i)
          .isCloseTo(Oracle.value(type, expected.bits()[i]), within(Bound.of(type, e, m)));
    }
  }

  private List<ElementType> integers() {
    return types().stream().filter(type -> !type.isFloating()).toList();
  }

  private void exactly(StateDict<ArrayTensor> like, ShadowType shadow, Values values, long seed) {
    for (AveragingRule rule : AveragingRule.values()) {
      exactly(like, rule, shadow, values, seed);
    }
  }

  /** Follows a model of random values for a few updates at each of several decays. */
  private void exactly(
      StateDict<ArrayTensor> like,
      AveragingRule rule,
      ShadowType shadow,
      Values values,
      long seed) {
    for (double decay : DECAYS) {
      StateDict<ArrayTensor> start = filled(like, seed, values);
      M model = model(start);
      ModelEma<M> ema = average(model, lerp(decay).withRule(rule).withShadowType(shadow));
      OracleAverage expected =
          new OracleAverage(start, rule, type -> kept(type, shadow), UpdateKit::byDefault);
      for (int step = 1; step <= 2; step++) {
        StateDict<ArrayTensor> now = filled(like, 1000 * seed + step, values);
        write(now, model);
        ema.update(model);
        expected.update(now, decay);
      }
      Entry<ArrayTensor> first = like.entries().get(0);
      String name =
          String.join(
              " ",
              first.name(),
              first.spec().type().name(),
              shadow.name(),
              rule.name(),
              values.name(),
              "seed " + seed,
              "decay " + decay);
      evidence.sameBits(name, ema.state(), expected.entries());
    }
  }

  private static ElementType kept(ElementType type, ShadowType shadow) {
    return switch (shadow) {
      case F64 -> ElementType.F64;
      case AUTO -> type.isHalf() ? ElementType.F32 : type;
      default -> type;
    };
  }

  private static Treatment byDefault(Entry<ArrayTensor> entry) {
    return entry.spec().type().isFloating() ? Treatment.AVERAGE : Treatment.COPY;
  }

  static EmaConfig lerp(double decay) {
    return EmaConfig.defaults().withStrategy(EmaStrategy.nameMatched(decay)).withCanary(false);
  }

  private static double[] numbers(long[] bits) {
    return Arrays.stream(bits).mapToDouble(each -> Oracle.value(ElementType.F32, each)).toArray();
  }
}
