package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.ElementType;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
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
public abstract class GoldenKit<M, T> {

  /** Returns the adapter to check. */
  protected abstract ModelAdapter<M, T> adapter();

  /**
   * Returns a new model whose state dict has the given entries: names, order, types, shapes and
   * roles. Its values do not matter.
   */
  protected abstract M newModel(StateDict<ArrayTensor> like);

  /** Frees a model that {@link #newModel} returned. */
  protected abstract void release(M model);

  /** Returns the element types that the backend has; a case with another one is skipped. */
  protected Set<ElementType> elementTypes() {
    return EnumSet.allOf(ElementType.class);
  }

  static List<GoldenCase> cases() {
    return GoldenCases.all();
  }

  /**
   * If this fails for all cases, look at what {@code memory} returns and at the order of the state
   * dict; if for integers alone, at their roles; if for the wrapped cases, at the names.
   */
  @ParameterizedTest(name = "{0}")
  @MethodSource("cases")
  @DisplayName("The average has the bits of timm's own")
  protected void averageHasTheBitsOfTimms(GoldenCase golden) {
    golden.unsupported().ifPresent(reason -> assumeTrue(false, reason));
    for (Entry<ArrayTensor> entry : golden.models().get(0).entries()) {
      ElementType type = entry.spec().type();
      assumeTrue(
          elementTypes().contains(type),
          () -> "backend '" + adapter().backend().name() + "' has no " + type);
    }
    M start = newModel(startingPoint(golden));
    M model = newModel(golden.models().get(0));
    write(startingPoint(golden), start);
    try (ModelEma<M> ema = ModelEma.builder(adapter()).config(golden.config()).build(start)) {
      for (int step = 1; step < golden.models().size(); step++) {
        write(golden.models().get(step), model);
        if (golden.setSteps().contains(step)) {
          ema.set(model);
        } else if (golden.foreach()) {
          ema.update(model, adapter().backend().tensorType(), this::multiplyThenAdd);
        } else {
          ema.update(model);
        }
      }
      assertSameBits(ema.state(), golden.expected());
    } finally {
      release(start);
      release(model);
    }
  }

  /**
   * Averages float32 tensors in place as PyTorch's {@code _foreach_mul_} followed by {@code
   * _foreach_add_(alpha)} does: {@code fma(w, m, e * d)}.
   */
  private void multiplyThenAdd(T average, T model, double decay) {
    TensorBackend<T> backend = adapter().backend();
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

  private void write(StateDict<ArrayTensor> values, M model) {
    TensorBackend<T> backend = adapter().backend();
    try (StateDict<T> target = adapter().stateDict(model)) {
      for (int i = 0; i < values.entries().size(); i++) {
        Entry<ArrayTensor> value = values.entries().get(i);
        Entry<T> entry = target.entries().get(i);
        assertThat(entry.name()).as("name at position %s", i).isEqualTo(value.name());
        HostTensors.copy(ArrayBackend.instance(), value.tensor(), backend, entry.tensor());
      }
    }
  }

  private static <S> void assertSameBits(StateDict<S> actual, StateDict<ArrayTensor> expected) {
    assertThat(actual.entries().stream().map(Entry::name).toList())
        .isEqualTo(expected.entries().stream().map(Entry::name).toList());
    for (int i = 0; i < expected.entries().size(); i++) {
      Entry<S> entry = actual.entries().get(i);
      Entry<ArrayTensor> wanted = expected.entries().get(i);
      assertThat(entry.spec().type())
          .as("type of '%s'", entry.name())
          .isEqualTo(wanted.spec().type());
      assertThat(HostTensors.bits(actual.backend(), entry.tensor()))
          .as("bits of '%s'", entry.name())
          .isEqualTo(HostTensors.bits(ArrayBackend.instance(), wanted.tensor()));
    }
  }
}
