package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import io.github.ema4j.testkit.SeededModels.Values;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * What all kits have in common: the backend under test, and models and averages that are freed when
 * a rule has been checked.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
@ExtendWith(Recorder.class)
public abstract class RuleKit<M, T> {
  private final Deque<Runnable> cleanup = new ArrayDeque<>();

  /** What the present run of a rule finds. */
  Evidence evidence = new Evidence();

  /** Only this package's kits are kits. */
  RuleKit() {}

  /** Returns the backend to check. */
  protected abstract BackendUnderTest<M, T> subject();

  /** Closes what the rule opened, last things first. */
  @AfterEach
  void cleanUp() {
    while (!cleanup.isEmpty()) {
      cleanup.pop().run();
    }
  }

  /** Has something done when the rule has been checked. */
  final void later(Runnable step) {
    cleanup.push(step);
  }

  final ModelAdapter<M, T> adapter() {
    return subject().adapter();
  }

  final TensorBackend<T> backend() {
    return adapter().backend();
  }

  final SeededModels models() {
    return new SeededModels(subject().capabilities());
  }

  final boolean has(Capability capability) {
    return subject().capabilities().contains(capability);
  }

  /** Returns the types that the backend has. */
  final List<ElementType> types() {
    return Arrays.stream(ElementType.values()).filter(type -> has(Capability.of(type))).toList();
  }

  /** Returns a new model with the given values, freed after the rule. */
  final M model(StateDict<ArrayTensor> values) {
    M model = subject().newModel(values);
    later(() -> subject().release(model));
    write(values, model);
    return model;
  }

  /** Returns a view of a model's tensors, closed after the rule. */
  final StateDict<T> view(M model) {
    StateDict<T> view = adapter().stateDict(model);
    later(view::close);
    return view;
  }

  /** Starts an average that takes all values as they are, closed after the rule. */
  final ModelEma<M> average(M model, EmaConfig config) {
    return start(ModelEma.builder(adapter()), config.withGuard(NonFiniteGuard.ACCEPT), model);
  }

  /** Starts an average, closed after the rule. */
  final ModelEma<M> start(ModelEma.Builder<M> builder, EmaConfig config, M model) {
    ModelEma<M> ema = subject().start(builder, config, model);
    later(ema::close);
    return ema;
  }

  /** Writes values into a model through its state dict. */
  final void write(StateDict<ArrayTensor> values, M model) {
    try (StateDict<T> target = adapter().stateDict(model)) {
      assertThat(names(target)).as("names of the model's entries").isEqualTo(names(values));
      for (int i = 0; i < values.entries().size(); i++) {
        ArrayTensor value = values.entries().get(i).tensor();
        T tensor = target.entries().get(i).tensor();
        HostTensors.copy(ArrayBackend.instance(), value, backend(), tensor);
      }
    }
  }

  /** Returns the bits of all of a model's tensors. */
  final List<long[]> bits(M model) {
    try (StateDict<T> dict = adapter().stateDict(model)) {
      return bits(dict);
    }
  }

  static <S> List<long[]> bits(StateDict<S> dict) {
    return dict.entries().stream()
        .map(entry -> HostTensors.bits(dict.backend(), entry.tensor()))
        .toList();
  }

  static List<String> names(StateDict<?> dict) {
    return dict.entries().stream().<String>map(Entry::name).toList();
  }

  static void assertSameBits(String what, List<long[]> actual, List<long[]> expected) {
    assertThat(actual).as(what).usingElementComparator(Arrays::compare).isEqualTo(expected);
  }

  static StateDict<ArrayTensor> filled(StateDict<ArrayTensor> like, long seed, Values values) {
    return SeededModels.filled(like, seed, values);
  }
}
