package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.SeededTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ResumeTest {
  private static final int CALLS = 30;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameTheFile() {
    file = folder.resolve("checkpoint.safetensors");
  }

  /** Saved in the midst of an interval of micro-steps, and read by an average made anew. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("io.github.ema4j.ScheduleResumeTest#schedules")
  void aResumedRunGivesTheBitsOfOneThatDidNotStop(DecaySchedule schedule) throws IOException {
    EmaStrategy strategy = EmaStrategy.nameMatched(0).scheduled(schedule);
    Timing timing = new Timing(Clock.STEPS, 3, 2);
    StateDict<ArrayTensor> model = model("w", 0, 0, 0);
    try (var whole = averaging().strategy(strategy).timing(timing).build(model)) {
      for (int call = 0; call < CALLS; call++) {
        train(model, call);
        whole.update(model);
      }
      for (int stopped : new int[] {1, 8}) {
        StateDict<ArrayTensor> first = model("w", 0, 0, 0);
        try (var average = averaging().strategy(strategy).timing(timing).build(first)) {
          for (int call = 0; call < stopped; call++) {
            train(first, call);
            average.update(first);
          }
          average.save(file);
        }
        StateDict<ArrayTensor> second = model("w", 9, 9, 9);
        try (var average = averaging().strategy(strategy).timing(timing).build(second)) {
          average.resumeFrom(file);
          for (int call = stopped; call < CALLS; call++) {
            train(second, call);
            average.update(second);
          }
          assertThat(floats(second)).isEqualTo(floats(model));
          assertThat(floats(average.state())).isEqualTo(floats(whole.state()));
          assertThat(average.progress()).isEqualTo(whole.progress());
        }
      }
    }
  }

  /** The next weights depend on those before, as an optimiser's do. */
  private static void train(StateDict<ArrayTensor> model, int step) {
    float[] weights = floats(model);
    for (int i = 0; i < weights.length; i++) {
      weights[i] = weights[i] * 0.9f + (step + i) % 7;
    }
  }

  @Test
  void everyTypeAndSizeComesBack() throws IOException {
    long seed = new Random().nextLong();
    StateDict<ArrayTensor> model = SeededTensors.ofAllTypes(new Random(seed));
    StateDict<ArrayTensor> other = SeededTensors.ofAllTypes(new Random(seed + 1));
    try (var average = averaging().build(model);
        var resumed = averaging().build(other)) {
      SeededTensors.refill(model, new Random(seed + 2));
      average.update(model);
      average.save(file);
      resumed.resumeFrom(file);

      SeededTensors.assertSameBits(other, model, "seed " + seed);
      SeededTensors.assertSameBits(resumed.state(), average.state(), "seed " + seed);
    }
  }

  @Test
  void aBankIsResumedAsAWhole() throws IOException {
    StateDict<ArrayTensor> model = model("w", 0);
    StateDict<ArrayTensor> other = model("w", 9);
    try (var bank = bank("a", "b.c", "b_c").build(model);
        var resumed = bank("b_c", "a", "b.c").build(other)) {
      floats(model)[0] = 1;
      bank.update(model);
      bank.save(file);
      resumed.resumeFrom(file);

      assertThat(floats(other)).containsExactly(1);
      bank.averages()
          .forEach(
              (name, average) -> {
                assertThat(floats(resumed.average(name).state()))
                    .isEqualTo(floats(average.state()));
                assertThat(resumed.average(name).progress()).isEqualTo(average.progress());
              });
      try (TensorFile tensors = TensorFile.open(file)) {
        assertThat(tensors.tensors().keySet())
            .containsExactly("model.w", "ema.a.w", "ema.b_c.w", "ema.b_c_2.w");
      }
    }
  }

  private static EmaBank.Builder<StateDict<ArrayTensor>> bank(String... names) {
    EmaBank.Builder<StateDict<ArrayTensor>> bank = EmaBank.builder(ArrayBackend.adapter());
    Arrays.sort(names);
    for (String name : names) {
      bank.average(name, DecaySchedule.constant(name.length() / 8.0));
    }
    return bank;
  }

  @Test
  void otherAveragesThanTheFilesAreRefused() throws IOException {
    try (var bank = bank("a", "b").build(model("w", 0));
        var other = bank("a", "c").build(model("w", 0));
        var single = averaging().build(model("w", 0))) {
      bank.save(file);

      assertThatIllegalArgumentException()
          .isThrownBy(() -> other.resumeFrom(file))
          .withMessageContaining("has the averages [a, b], but these are [a, c]");
      assertThatIllegalArgumentException().isThrownBy(() -> single.resumeFrom(file));
    }
  }

  @Test
  void aSwappedAverageIsNotSaved() throws IOException {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = averaging().build(model)) {
      Swap swap = average.swapInto(model);
      assertThatIllegalStateException()
          .isThrownBy(() -> average.save(file))
          .withMessageContaining("swapped into a model");
      assertThatIllegalStateException().isThrownBy(average::capture);
      assertThat(file).doesNotExist();
      swap.close();
      average.save(file);
      swap = average.swapInto(model);
      assertThatIllegalStateException().isThrownBy(() -> average.resumeFrom(file));
      swap.close();
    }
  }

  @Test
  void anotherConfigurationIsRefusedWithBothValues() throws IOException {
    StateDict<ArrayTensor> other = model("w", 3);
    try (var average = decaying(0.5, AveragingRule.LERP).build(model("w", 1));
        var different = decaying(0.9, AveragingRule.WEIGHTED_SUM).build(other)) {
      average.save(file);

      assertThatIllegalArgumentException()
          .isThrownBy(() -> different.resumeFrom(file))
          .withMessageContaining(
              "the checkpoint has { rule = lerp }, the program { rule = weighted-sum }")
          .withMessageContaining(
              "the checkpoint has { schedule { type = constant, decay = 0.5 } }, the program"
                  + " { schedule { type = constant, decay = 0.9 } }");
      assertThat(floats(other)).containsExactly(3);
      assertThat(floats(different.state())).containsExactly(3);
      assertThat(different.progress()).isEqualTo(Progress.START);
    }
  }

  @ParameterizedTest
  @EnumSource(names = "REFUSE", mode = EnumSource.Mode.EXCLUDE)
  void theChosenConfigurationHolds(OnConfigChange choice) throws IOException {
    StateDict<ArrayTensor> other = model("w", 3);
    try (var average =
            decaying(0.5, AveragingRule.LERP).shadowType(ShadowType.F64).build(model("w", 1));
        var different = decaying(0.75, AveragingRule.LERP).build(other)) {
      average.save(file);
      assertThat(different.module()).isNotNull();

      different.resumeFrom(file, choice);
      floats(other)[0] = 2;
      different.update(other);

      assertThat(different.progress().decay())
          .isEqualTo(choice == OnConfigChange.TAKE_FILE ? 0.5 : 0.75);
      assertThat(different.state().entries().get(0).spec().type())
          .isEqualTo(choice == OnConfigChange.TAKE_FILE ? ElementType.F64 : ElementType.F32);
      assertThat(floats(different.module()))
          .containsExactly(choice == OnConfigChange.TAKE_FILE ? 1.5f : 1.25f);
    }
  }

  private static ModelEma.Builder<StateDict<ArrayTensor>> decaying(
      double decay, AveragingRule rule) {
    return averaging().strategy(EmaStrategy.nameMatched(decay)).rule(rule);
  }

  @Test
  void whereAnAverageIsKeptMayDiffer() throws IOException {
    try (var average = averaging().device(Device.CPU).canary(false).build(model("w", 1));
        var other = averaging().build(model("w", 2))) {
      average.save(file);
      other.resumeFrom(file);

      assertThat(floats(other.state())).containsExactly(1);
    }
  }

  @Test
  void aScheduleThatIsCodeIsResumedByTheSameCode() throws IOException {
    DecaySchedule code = (time, elapsed) -> 0.5;
    EmaStrategy strategy = EmaStrategy.nameMatched(0).scheduled(code);
    try (var average = averaging().strategy(strategy).build(model("w", 1));
        var same = averaging().strategy(strategy).build(model("w", 2));
        var other = averaging().build(model("w", 2))) {
      average.save(file);
      same.resumeFrom(file);
      assertThat(floats(same.state())).containsExactly(1);

      assertThatIllegalArgumentException()
          .isThrownBy(() -> other.resumeFrom(file))
          .withMessageContaining("ResumeTest$$Lambda");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> other.resumeFrom(file, OnConfigChange.TAKE_FILE))
          .withMessageContaining("ResumeTest$$Lambda");
    }
  }

  @Test
  void anotherModelIsRefusedAndNothingChanges() throws IOException {
    StateDict<ArrayTensor> other =
        dict().parameter("w", tensor(5)).parameter("v", tensor(6)).build();
    try (var average = averaging().build(model("w", 1));
        var different = averaging().build(other)) {
      average.save(file);

      assertThatIllegalArgumentException()
          .isThrownBy(() -> different.resumeFrom(file))
          .withMessageContaining("'v' is only in the average");
      assertThat(floats(other, "w")).containsExactly(5);
      assertThat(floats(different.state(), "w")).containsExactly(5);
    }
  }

  @Test
  void aDamagedFileChangesNothing() throws IOException {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().build(model)) {
      average.save(file);
      byte[] bytes = Files.readAllBytes(file);
      bytes[bytes.length - 1] ^= 1;
      Files.write(file, bytes);

      assertThatThrownBy(() -> average.resumeFrom(file))
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("damaged or changed");
      assertThat(floats(model)).containsExactly(1);
    }
  }

  @Test
  void tiedWeightsComeBackThoughAFileKnowsNoTies() throws IOException {
    ArrayTensor shared = tensor(1, 2);
    StateDict<ArrayTensor> model = dict().parameter("in", shared).parameter("out", shared).build();
    try (var average = averaging().build(model)) {
      average.save(file);
      floats(model, "in")[0] = 9;
      average.set(model);
      average.resumeFrom(file);
      assertThat(floats(average.state(), "out")).containsExactly(1, 2);
      assertThat(floats(model, "out")).containsExactly(1, 2);

      write(dict().parameter("in", tensor(1, 2)).parameter("out", tensor(1, 3)).build());
      assertThatIllegalArgumentException()
          .isThrownBy(() -> average.resumeFrom(file))
          .withMessageContaining("'in' and 'out' are tied in the average but not in the state");
    }
  }

  @Test
  void negativeZeroIsNotTiedToZero() throws IOException {
    ArrayTensor shared = tensor(0);
    StateDict<ArrayTensor> model = dict().parameter("in", shared).parameter("out", shared).build();
    write(dict().parameter("in", tensor(0f)).parameter("out", tensor(-0f)).build());
    try (var average = averaging().build(model)) {
      assertThatIllegalArgumentException().isThrownBy(() -> average.resumeFrom(file));
    }
  }

  /** Writes a checkpoint of the average alone. */
  private void write(StateDict<ArrayTensor> weights) throws IOException {
    try (CheckpointContent content =
        CheckpointContent.builder()
            .average("", averagingConfig(), Progress.START, weights)
            .note("epoch", "3")
            .build()) {
      content.write(file);
    }
  }

  private static EmaConfig averagingConfig() {
    return EmaConfig.defaults().withGuard(NonFiniteGuard.ACCEPT);
  }

  @Test
  void anAverageAloneLeavesTheModel() throws IOException {
    write(model("w", 4));
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().build(model);
        Checkpoint checkpoint = Checkpoint.open(file)) {
      average.resumeFrom(file);

      assertThat(floats(average.state())).containsExactly(4);
      assertThat(floats(model)).containsExactly(1);
      assertThat(checkpoint.model()).isEmpty();
      assertThat(checkpoint.metadata()).containsEntry("epoch", "3");
    }
  }

  @Test
  void aCaptureIsTheAverageAsItWasThen() throws IOException {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().build(model)) {
      try (CheckpointContent content = average.capture()) {
        floats(model)[0] = 2;
        average.set(model);
        content.write(file);
      }
      average.resumeFrom(file);

      assertThat(floats(average.state())).containsExactly(1);
      assertThat(floats(model)).containsExactly(1);
    }
  }

  @Test
  void whatIsFarIsSavedAndResumedTheSame() throws IOException {
    FarBackend far = new FarBackend();
    StateDict<FarBackend.Far> model =
        StateDict.builder(far).parameter("w", FarBackend.far(tensor(1, 2))).build();
    try (var average = ModelEma.builder(StateDict.adapter(far)).build(model)) {
      try (CheckpointContent content = average.capture()) {
        content.write(file);
      }
      float[] weights = (float[]) model.entries().get(0).tensor().array().array();
      weights[0] = 7;
      average.set(model);
      average.resumeFrom(file);
      assertThat(weights).containsExactly(1, 2);
      average.save(file);
    }
    assertThat(far.live()).isZero();
    try (TensorFile tensors = TensorFile.open(file);
        var near = ModelEma.builder(ArrayBackend.adapter()).build(model("w", 0, 0))) {
      near.load(tensors.stateDict("ema."));
      assertThat(floats(near.state())).containsExactly(1, 2);
    }
  }

  @Test
  void theCanaryIsNotDeceived() throws IOException {
    StateDict<ArrayTensor> model = model("w", 1);
    try (var average = averaging().build(model)) {
      average.save(file);
      floats(model)[0] = 2;
      average.update(model);
      try (LogCapture log = LogCapture.of(ModelEma.class)) {
        average.resumeFrom(file);
        average.update(model);
        assertThat(log.warnings()).singleElement().asString().contains("has not moved");
      }
    }
  }
}
