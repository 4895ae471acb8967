package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.ElementType;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Checks that a backend's averages have the bits of timm's own code.
 *
 * <p>The cases are the kit's own, or those in the folder that the system property {@code
 * ema.golden.dir} names. Each starts an average under the preset of timm's class, feeds it the
 * models of every step through one live model, and compares the average's bits.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class GoldenKit<M, T> extends RuleKit<M, T> {

  static List<GoldenCase> cases() {
    return GoldenCases.all();
  }

  /**
   * If this fails for all cases, look at what {@code memory} returns and at the order of the state
   * dict; if for integers alone, at their roles; if for the wrapped cases, at the names.
   */
  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  @DisplayName("EMA-G01 The average has the bits of timm's own")
  protected void averageHasTheBitsOfTimms(GoldenCase golden) {
    golden.unsupported().ifPresent(reason -> assumeTrue(false, reason));
    for (Entry<ArrayTensor> entry : golden.models().get(0).entries()) {
      ElementType type = entry.spec().type();
      assumeTrue(has(Capability.of(type)), () -> "has not declared " + type);
    }
    M start = model(startingPoint(golden));
    M model = model(golden.models().get(0));
    ModelEma<M> ema = start(ModelEma.builder(adapter()), golden.config(), start);
    for (int step = 1; step < golden.models().size(); step++) {
      write(golden.models().get(step), model);
      if (golden.setSteps().contains(step)) {
        ema.set(model);
      } else if (golden.foreach()) {
        ema.update(model, backend().tensorType(), this::multiplyThenAdd);
      } else {
        ema.update(model);
      }
    }
    evidence.sameBits(GoldenCases.origin() + golden, ema.state(), values(golden.expected()));
  }

  /**
   * Averages float32 tensors in place as PyTorch's {@code _foreach_mul_} followed by {@code
   * _foreach_add_(alpha)} does: {@code fma(w, m, e * d)}.
   */
  private void multiplyThenAdd(T average, T model, double decay) {
    TensorBackend<T> backend = backend();
    float weight = (float) (1.0 - decay);
    long[] averages = HostTensors.bits(backend, average);
    long[] models = HostTensors.bits(backend, model);
    for (int i = 0; i < averages.length; i++) {
      float e = Float.intBitsToFloat((int) averages[i]);
      float m = Float.intBitsToFloat((int) models[i]);
      averages[i] = Float.floatToRawIntBits(Math.fma(weight, m, e * (float) decay));
    }
    HostTensors.write(backend, average, averages);
  }

  /** Returns the model of step 0 under the names that timm's average has. */
  private static StateDict<ArrayTensor> startingPoint(GoldenCase golden) {
    List<Entry<ArrayTensor>> values = golden.models().get(0).entries();
    List<Entry<ArrayTensor>> names = golden.expected().entries();
    assertThat(values).as("%s: entries of model and average", golden).hasSameSizeAs(names);
    StateDict.Builder<ArrayTensor> entries = StateDict.builder(ArrayBackend.instance());
    for (int i = 0; i < values.size(); i++) {
      entries.add(names.get(i).name(), values.get(i).tensor(), values.get(i).role());
    }
    return entries.build();
  }

  private static List<OracleAverage.Values> values(StateDict<ArrayTensor> dict) {
    return dict.entries().stream()
        .map(
            entry ->
                new OracleAverage.Values(
                    entry.name(), entry.spec().type(), OracleAverage.bits(entry)))
        .toList();
  }
}
