package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.names;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.SeededTensors;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShardedAverageTest {

  @TempDir private Path folder;
  private final StateDict<ArrayTensor> model = model(1);

  /** In two shards: {@code big} and {@code one}, {@code rest}, {@code steps}. */
  private static StateDict<ArrayTensor> model(float value) {
    return dict()
        .parameter("big", tensor(value, value, value, value, value))
        .parameter("one", tensor(value))
        .parameter("rest", tensor(value, value))
        .counter("steps", ArrayTensor.of(new long[] {(long) value}))
        .build();
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> shard(int index) {
    return ModelEma.builder(adapter(index)).strategy(EmaStrategy.nameMatched(0.5));
  }

  private static ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter(int index) {
    return ArrayBackend.adapter().shard(index, 2);
  }

  private static void fill(StateDict<ArrayTensor> filled, float value) {
    for (StateDict.Entry<ArrayTensor> entry : filled.entries()) {
      if (entry.tensor().array() instanceof float[] values) {
        Arrays.fill(values, value);
      } else {
        ((long[]) entry.tensor().array())[0] = (long) value;
      }
    }
  }

  @Test
  void shardsTogetherAreTheWhole() {
    long seed = new Random().nextLong();
    StateDict<ArrayTensor> trained = SeededTensors.ofAllTypes(new Random(seed));
    try (var whole = averaging().build(trained);
        var first = averagingShard(0).build(trained);
        var second = averagingShard(1).build(trained);
        var third = averagingShard(2).build(trained)) {
      for (int step = 0; step < 3; step++) {
        SeededTensors.refill(trained, new Random(seed + step));
        whole.update(trained);
        first.update(trained);
        second.update(trained);
        third.update(trained);
      }
      whole.copyTo(trained);
      StateDict<ArrayTensor> joined = SeededTensors.ofAllTypes(new Random(seed));
      first.copyTo(joined);
      second.copyTo(joined);
      third.copyTo(joined);

      SeededTensors.assertSameBits(joined, trained, "seed " + seed);
      assertThat(first.progress()).isEqualTo(whole.progress());
    }
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> averagingShard(int index) {
    return ModelEma.builder(ArrayBackend.adapter().shard(index, 3)).guard(NonFiniteGuard.ACCEPT);
  }

  /** A shard of a state dict is a model too. */
  @Test
  void aStateDictMayBeDividedBeforeItIsGiven() throws IOException {
    try (var first = ModelEma.builder(ArrayBackend.adapter()).build(model.shard(0, 2));
        var second = ModelEma.builder(ArrayBackend.adapter()).build(model.shard(1, 2));
        var whole = ModelEma.builder(ArrayBackend.adapter()).build(model(7))) {
      assertThat(names(first.state())).containsExactly("big");
      whole.save(folder.resolve("whole"));
      first.resumeFrom(folder.resolve("whole"));
      assertThat(floats(first.state())).containsOnly(7);
      assertThat(floats(model, "one")).as("all of the model is restored").containsExactly(7);
      second.resumeFrom(folder.resolve("whole"));
      assertThat(floats(second.state(), "rest")).containsOnly(7);
    }
  }

  @Test
  void aShardIsSwappedInAndTheOthersStay() {
    try (var second = shard(1).build(model)) {
      fill(model, 3);
      second.update(model);
      try (Swap swap = second.swapInto(model)) {
        assertThat(floats(model, "one")).containsExactly(2);
        assertThat(floats(model, "big")).containsOnly(3);
        assertThat(swap).isNotNull();
      }
      assertThat(floats(model, "one")).containsExactly(3);
      second.copyTo(model);
      assertThat(floats(model, "rest")).containsOnly(2);
      assertThat(floats(model, "big")).containsOnly(3);
    }
  }

  @Test
  void thereIsNoModule() {
    try (var average = shard(1).build(model);
        var supplied = shard(1).module(() -> model(1)).build(model)) {
      String expected = "the average of shard 1 of 2 has not all weights of a module";
      assertThatThrownBy(average::module)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining(expected);
      assertThatThrownBy(supplied::module)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining(expected);
      assertThatThrownBy(() -> shard(1).module(model(1)).build(model))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining(expected);
    }
  }

  /** All processes have one configuration, whatever is in their shards. */
  @Test
  void aPolicyIsForTheWholeModel() throws IOException {
    EntryPolicy skipping = EntryPolicy.defaults().with(NamePattern.glob("big"), Treatment.SKIP);
    try (var first = shard(0).policy(skipping).device(Device.CPU).build(model);
        var second = shard(1).policy(skipping).build(model)) {
      fill(model, 3);
      first.update(model);
      second.update(model);

      assertThat(first.state().entries()).isEmpty();
      assertThat(names(second.state())).containsExactly("one", "rest", "steps");
      assertThat(first.progress()).isEqualTo(second.progress());

      Path all = folder.resolve("all.safetensors");
      try (var whole =
          ModelEma.builder(ArrayBackend.adapter())
              .policy(skipping)
              .strategy(EmaStrategy.nameMatched(0.75))
              .build(model(8))) {
        whole.save(all);
      }
      first.resumeFrom(all, OnConfigChange.TAKE_FILE);
      assertThat(floats(model, "big")).containsOnly(8);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                shard(0)
                    .policy(EntryPolicy.defaults().with(NamePattern.glob("no"), Treatment.SKIP))
                    .build(model))
        .withMessageContaining("matches none of the model's 4 entries");
  }

  @Test
  void anUpdateIsNotSkippedByOneShardAlone() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> shard(0).guard(NonFiniteGuard.SKIP).build(model))
        .withMessageContaining("SKIP cannot guard a shard");
  }

  @Test
  void theOnlyShardIsTheWhole() {
    try (var alone =
        ModelEma.builder(ArrayBackend.adapter().shard(0, 1))
            .guard(NonFiniteGuard.SKIP)
            .build(model)) {
      assertThat(names(alone.module())).isEqualTo(names(model));
    }
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> ModelEma.builder(ArrayBackend.adapter().shard(1, 1)).build(model));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "module.", "_orig_mod.module."})
  void aShardLoadsItsPartOfAWhole(String wrapper) throws IOException {
    StateDict.Builder<ArrayTensor> wrapped = dict();
    model(5)
        .entries()
        .forEach(entry -> wrapped.add(wrapper + entry.name(), entry.tensor(), entry.role()));
    Path file = folder.resolve("average.safetensors");
    TensorFile.write(file, wrapped.build(), Map.of());
    try (var first = shard(0).build(model);
        var second = shard(1).build(model);
        TensorFile tensors = TensorFile.open(file)) {
      first.load(tensors.stateDict());
      second.load(tensors.stateDict());

      assertThat(floats(first.state())).containsOnly(5);
      assertThat(floats(second.state(), "rest")).containsOnly(5);
      second.load(model(6).shard(1, 2));
      assertThat(floats(second.state(), "rest")).containsOnly(6);
    }
  }

  @Test
  void aShardOfAWrappedModelLoadsAPlainOne() {
    StateDict.Builder<ArrayTensor> wrapped = dict();
    model
        .entries()
        .forEach(entry -> wrapped.add("module." + entry.name(), entry.tensor(), entry.role()));
    try (var second = shard(1).build(wrapped.build())) {
      second.load(model(5));

      assertThat(floats(second.state(), "module.rest")).containsOnly(5);
    }
  }

  @Test
  void whatAWholeLacksOrHasTooMuchIsTold() {
    try (var second = shard(1).build(model)) {
      StateDict<ArrayTensor> other =
          dict()
              .parameter("big", tensor(1, 1, 1, 1, 1))
              .parameter("one", tensor(1))
              .parameter("strange", tensor(1))
              .build();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> second.load(other))
          .withMessageContaining("'rest' is only in the average")
          .withMessageContaining("'strange' is only in the state")
          .withMessageNotContaining("big");
    }
  }

  @Test
  void aShardIsResumedFromAWholeWithAllOfTheModel() throws IOException {
    Path own = folder.resolve("own.safetensors");
    Path all = folder.resolve("all.safetensors");
    try (var second = shard(1).build(model);
        var whole =
            ModelEma.builder(ArrayBackend.adapter())
                .strategy(EmaStrategy.nameMatched(0.5))
                .build(model)) {
      fill(model, 3);
      second.update(model);
      whole.update(model);
      second.save(own);
      whole.save(all);
      fill(model, 9);
      second.set(model);

      second.resumeFrom(all);

      assertThat(floats(second.state(), "one")).containsExactly(2);
      assertThat(floats(model, "big")).containsOnly(3);
      assertThat(second.progress()).isEqualTo(whole.progress());
      assertThatThrownBy(() -> second.resumeFrom(own))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("6 tensors of a checkpoint that has 8; open the index");
    }
  }

  @Test
  void theConfigurationOfTheFileIsTakenForAShard() throws IOException {
    Path all = folder.resolve("all.safetensors");
    try (var second = shard(1).build(model);
        var whole =
            ModelEma.builder(ArrayBackend.adapter())
                .strategy(EmaStrategy.nameMatched(0.75))
                .shadowType(ShadowType.F64)
                .build(model(4))) {
      whole.save(all);
      assertThatIllegalArgumentException().isThrownBy(() -> second.resumeFrom(all));
      second.resumeFrom(all, OnConfigChange.TAKE_FILE);

      assertThat(second.state().entries().get(0).spec().type()).isEqualTo(ElementType.F64);
      fill(model, 8);
      second.update(model);
      assertThat((double[]) ((ArrayTensor) second.state().entries().get(0).tensor()).array())
          .containsExactly(5);
    }
  }
}
