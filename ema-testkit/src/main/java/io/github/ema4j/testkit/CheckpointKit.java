package io.github.ema4j.testkit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Swap;
import io.github.ema4j.Timing;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.testkit.SeededModels.Values;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Checks that averages are saved with their models and resumed exactly, or not at all.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class CheckpointKit<M, T> extends RuleKit<M, T> {
  private static final EmaConfig CONFIG = UpdateKit.lerp(0.75);
  private static final long SHARD_BYTES = 64;

  private Path folder;
  private Path file;

  @BeforeEach
  void nameTheFile(@TempDir Path temporary) {
    folder = temporary;
    file = folder.resolve("checkpoint.safetensors");
  }

  /** If this fails, look at {@code memory}: of the model's tensors, and of the average's. */
  @Test
  @DisplayName("EMA-C01 A saved model and its average come back to the last bit")
  protected void comesBack() throws IOException {
    Trained<M> saved = trained(models().network(), 1, Values.SPECIAL, CONFIG);
    saved.ema.save(file);
    Trained<M> resumed = trained(models().network(), 3, Values.ORDINARY, CONFIG);

    resumed.ema.resumeFrom(file);

    assertSameBits("the model that was saved", bits(saved.model), bits(saved.values));
    assertIsNow(resumed, saved);
  }

  /** If this fails where C01 holds, what was resumed is not what is averaged from then on. */
  @Test
  @DisplayName("EMA-C02 A resumed run goes on to the bits of one that did not stop")
  protected void goesOn() throws IOException {
    StateDict<ArrayTensor> like = models().shapes(ElementType.F32);
    Trained<M> saved = trained(like, 5, Values.ORDINARY, CONFIG);
    saved.ema.save(file);
    Trained<M> resumed = trained(like, 7, Values.ORDINARY, CONFIG);
    resumed.ema.resumeFrom(file);
    StateDict<ArrayTensor> later = filled(like, 9, Values.ORDINARY);

    write(later, resumed.model);
    resumed.ema.update(resumed.model);

    OracleAverage expected = expected(saved);
    expected.update(later, 0.75);
    evidence.sameBits("shapes F32 resumed", resumed.ema.state(), expected.entries());
  }

  /** If this fails, look at what else than {@code resumeFrom} decides how far an average is. */
  @Test
  @DisplayName("EMA-C03 Updates, time, micro-steps and the product of decays are kept")
  protected void keepsProgress() throws IOException {
    EmaConfig config =
        CONFIG
            .withStrategy(
                EmaStrategy.nameMatched(0).scheduled(DecaySchedule.constant(0.75).zeroDebiased()))
            .withTiming(Timing.EVERY_STEP.withEvery(2).withMicroSteps(2));
    Trained<M> saved = trained(models().network(), 11, Values.ORDINARY, config);
    Trained<M> resumed = trained(models().network(), 13, Values.ORDINARY, config);
    for (int call = 0; call < 6; call++) { // with the one before: an update, a step and a half
      saved.ema.update(saved.model);
    }
    Progress progress = saved.ema.progress();
    assertThat(progress.updates() * progress.pending() * progress.microSteps()).isEqualTo(1);
    saved.ema.save(file);

    resumed.ema.resumeFrom(file);

    assertThat(resumed.ema.progress()).isEqualTo(progress);
    saved.ema.update(saved.model);
    resumed.ema.update(resumed.model);
    assertThat(resumed.ema.progress()).isEqualTo(saved.ema.progress());
    assertThat(resumed.ema.progress().updates()).isEqualTo(2);
    assertIsNow(resumed, saved);
  }

  /** If this fails, the averaged weights are saved as the model's, or lost with them. */
  @Test
  @DisplayName("EMA-C04 While swapped, nothing is saved and nothing is resumed")
  protected void neitherWhileSwapped() throws IOException {
    Trained<M> trained = trained(models().network(), 15, Values.ORDINARY, CONFIG);
    trained.ema.save(file);
    Path other = folder.resolve("swapped.safetensors");
    List<long[]> average = bits(trained.ema.state());

    try (Swap swap = trained.ema.swapInto(trained.model)) {
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.save(other));
      assertThatIllegalStateException().isThrownBy(trained.ema::capture);
      assertThatIllegalStateException().isThrownBy(() -> trained.ema.resumeFrom(file));
      assertThat(swap).isNotNull();
    }

    assertThat(other).doesNotExist();
    assertSameBits("the model", bits(trained.model), bits(trained.values));
    assertSameBits("the average", bits(trained.ema.state()), average);
  }

  /** If this fails, an average that was resumed decays otherwise than it says. */
  @Test
  @DisplayName("EMA-C05 Another configuration is refused with both values, and nothing changes")
  protected void refusesAnotherConfiguration() throws IOException {
    trained(models().network(), 17, Values.ORDINARY, CONFIG).ema.save(file);
    Trained<M> other = trained(models().network(), 19, Values.ORDINARY, UpdateKit.lerp(0.625));

    unchanged(
        other,
        () ->
            assertThatIllegalArgumentException()
                .isThrownBy(() -> other.ema.resumeFrom(file))
                .withMessageContaining("0.75")
                .withMessageContaining("0.625"));
  }

  /** If this fails where C05 holds, look at how the average is made anew, or is not. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({"TAKE_FILE, 0.75", "TAKE_PROGRAM, 0.625"})
  @DisplayName("EMA-C06 Where told, the file's configuration is taken, or the program's")
  protected void takesTheConfigurationThatIsChosen(OnConfigChange choice, double decay)
      throws IOException {
    Trained<M> saved = trained(models().network(), 21, Values.ORDINARY, CONFIG);
    saved.ema.save(file);
    Trained<M> other = trained(models().network(), 23, Values.ORDINARY, UpdateKit.lerp(0.625));

    other.ema.resumeFrom(file, choice);

    assertIsNow(other, saved);
    StateDict<ArrayTensor> later = filled(models().network(), 25, Values.ORDINARY);
    write(later, other.model);
    other.ema.update(other.model);
    OracleAverage expected = expected(saved);
    expected.update(later, decay);
    evidence.sameBits(other.ema.state(), expected.entries());
  }

  /** If this fails where C01 holds, look at what {@code capture} copies. */
  @Test
  @DisplayName("EMA-C07 A checkpoint in several files comes back to the last bit")
  protected void comesBackFromShards() throws IOException {
    Trained<M> saved = trained(models().network(), 27, Values.SPECIAL, CONFIG);
    Path index;
    try (CheckpointContent content = saved.ema.capture()) {
      index = content.writeShards(file, SHARD_BYTES);
    }
    assertThat(file).doesNotExist();
    Trained<M> resumed = trained(models().network(), 29, Values.ORDINARY, CONFIG);

    resumed.ema.resumeFrom(index);

    assertIsNow(resumed, saved);
  }

  /** If this fails, look at the strides that {@code describe} tells. */
  @Test
  @DisplayName("EMA-C08 Tensors are in the file row by row, whatever their layout")
  protected void writesRowByRow() throws IOException {
    StateDict<ArrayTensor> like =
        has(Capability.STRIDED)
            ? models().transposed(ElementType.F32)
            : models().shapes(ElementType.F32);
    Trained<M> saved = trained(like, 31, Values.ORDINARY, CONFIG);

    saved.ema.save(file);

    SafetensorsFile written = SafetensorsFile.parse(Files.readAllBytes(file));
    List<OracleAverage.Values> averages = expected(saved).entries();
    for (int i = 0; i < averages.size(); i++) {
      Entry<ArrayTensor> entry = saved.values.entries().get(i);
      assertHas(written, "model." + entry.name(), entry, OracleAverage.bits(entry));
      assertHas(written, "ema." + entry.name(), entry, averages.get(i).bits());
    }
    assertThat(written.tensors()).hasSize(2 * averages.size());
  }

  private static void assertHas(
      SafetensorsFile file, String name, Entry<ArrayTensor> like, long[] expected) {
    assertThat(file.tensors()).containsKey(name);
    ArrayTensor tensor = requireNonNull(file.tensors().get(name));
    assertThat(tensor.spec().type()).as("type of '%s'", name).isEqualTo(like.spec().type());
    assertThat(tensor.spec().shape()).as("shape of '%s'", name).isEqualTo(like.spec().shape());
    assertThat(HostTensors.bits(ArrayBackend.instance(), tensor))
        .as("elements of '%s'", name)
        .isEqualTo(expected);
  }

  /** If this fails, look at L01 and L09. */
  @Test
  @DisplayName("EMA-C09 From a file without an average, one is started from the weights in it")
  protected void startsFromWeightsAlone() throws IOException {
    StateDict<ArrayTensor> weights = filled(models().network(), 33, Values.ORDINARY);
    Path plain = folder.resolve("weights.pth");
    PthWriter.of(PthLayout.STATE_DICT).model(weights).write(plain);
    Trained<M> resumed = trained(models().network(), 35, Values.ORDINARY, CONFIG);

    resumed.ema.resumeFrom(plain);

    assertSameBits("the model", bits(resumed.model), bits(weights));
    assertSameBits("the average", bits(resumed.ema.state()), bits(weights));
    assertThat(resumed.ema.progress()).isEqualTo(Progress.START);
  }

  /** If this fails, something is written before all of the file was looked at. */
  @Test
  @DisplayName("EMA-C10 A cut or damaged file is refused, and nothing changes")
  protected void refusesDamage() throws IOException {
    trained(models().network(), 37, Values.ORDINARY, CONFIG).ema.save(file);
    byte[] whole = Files.readAllBytes(file);
    byte[] damaged = whole.clone();
    damaged[damaged.length - 1] ^= 1;
    Trained<M> other = trained(models().network(), 39, Values.ORDINARY, CONFIG);
    List<byte[]> bad =
        List.of(
            damaged,
            Arrays.copyOf(whole, whole.length - 1),
            Arrays.copyOf(whole, whole.length / 2),
            Arrays.copyOf(whole, whole.length + 1),
            new byte[0]);

    for (byte[] bytes : bad) {
      Files.write(file, bytes);
      unchanged(
          other,
          () ->
              assertThatThrownBy(() -> other.ema.resumeFrom(file))
                  .isInstanceOf(CheckpointException.class));
    }
  }

  /** If this fails, some tensors were written before all were paired. */
  @Test
  @DisplayName("EMA-C11 A checkpoint of another model is refused with every difference")
  protected void refusesAnotherModel() throws IOException {
    StateDict<ArrayTensor> wider =
        StateDict.builder(ArrayBackend.instance())
            .parameter("first.weight", SeededModels.tensor(ElementType.F32, 4, 5))
            .parameter("new.weight", SeededModels.tensor(ElementType.F32, 2))
            .build();
    trained(wider, 41, Values.ORDINARY, CONFIG).ema.save(file);
    Trained<M> other = trained(models().network(), 43, Values.ORDINARY, CONFIG);

    unchanged(
        other,
        () ->
            assertThatIllegalArgumentException()
                .isThrownBy(() -> other.ema.resumeFrom(file))
                .withMessageContaining("[4, 3]")
                .withMessageContaining("[4, 5]")
                .withMessageContaining("last.weight")
                .withMessageContaining("new.weight"));
  }

  /** If this fails, a checkpoint that is written in the background mixes two moments. */
  @Test
  @DisplayName("EMA-C12 What was captured stays as it was, and lives until it is closed")
  protected void captures() throws IOException {
    Trained<M> saved = trained(models().network(), 45, Values.SPECIAL, CONFIG);
    CheckpointContent content = saved.ema.capture();
    Trained<M> resumed = trained(models().network(), 47, Values.ORDINARY, CONFIG);
    List<long[]> average = bits(saved.ema.state());
    write(filled(models().network(), 49, Values.ORDINARY), saved.model);
    saved.ema.update(saved.model);
    saved.ema.close();

    content.write(file);
    content.close();

    assertThatIllegalStateException().isThrownBy(() -> content.write(file));
    resumed.ema.resumeFrom(file);
    assertSameBits("the model", bits(resumed.model), bits(saved.values));
    assertSameBits("the average", bits(resumed.ema.state()), average);
    assertThat(resumed.ema.progress().updates()).isEqualTo(1);
  }

  /** If this fails, look at {@code storage}, and at what is tied after resuming. */
  @Test
  @Needs(Capability.TIED)
  @DisplayName("EMA-C13 A tensor under two names comes back as one")
  protected void tiesComeBack() throws IOException {
    Trained<M> saved = trained(models().tied(), 51, Values.ORDINARY, CONFIG);
    saved.ema.save(file);
    Trained<M> resumed = trained(models().tied(), 53, Values.ORDINARY, CONFIG);

    resumed.ema.resumeFrom(file);

    assertIsNow(resumed, saved);
    List<Entry<T>> entries = view(resumed.model).entries();
    assertThat(backend().storage(entries.get(0).tensor()))
        .isEqualTo(backend().storage(entries.get(2).tensor()));
    saved.ema.update(saved.model);
    resumed.ema.update(resumed.model);
    assertIsNow(resumed, saved);
  }

  /** If this fails for one type, look at how it is described and opened. */
  @Test
  @DisplayName("EMA-C14 Every type of element that the backend has comes back")
  protected void everyTypeComesBack() throws IOException {
    for (ElementType type : types()) {
      StateDict<ArrayTensor> like = models().vector(type);
      Trained<M> saved = trained(like, 55, Values.SPECIAL, CONFIG);
      saved.ema.save(file);
      Trained<M> resumed = trained(like, 57, Values.ORDINARY, CONFIG);

      resumed.ema.resumeFrom(file);

      assertIsNow(resumed, saved);
    }
  }

  /** If this fails, look at the names, types and shapes of the state dict. */
  @Test
  @DisplayName("EMA-C15 A checkpoint is read by another backend, and another's is read")
  protected void backendsReadEachOther() throws IOException {
    StateDict<ArrayTensor> start = filled(models().network(), 59, Values.SPECIAL);
    Trained<M> trained = trained(models().network(), 61, Values.ORDINARY, CONFIG);
    try (ModelEma<StateDict<ArrayTensor>> arrays =
        ModelEma.builder(ArrayBackend.adapter())
            .config(CONFIG.withGuard(NonFiniteGuard.ACCEPT))
            .build(start)) {
      arrays.save(file);
      trained.ema.resumeFrom(file);
      assertSameBits("the model", bits(trained.model), bits(start));
      assertSameBits("the average", bits(trained.ema.state()), bits(arrays.state()));

      write(filled(models().network(), 63, Values.SPECIAL), trained.model);
      trained.ema.update(trained.model);
      trained.ema.save(file);
      arrays.resumeFrom(file);
      assertSameBits("the arrays", bits(start), bits(trained.model));
      assertSameBits("their average", bits(arrays.state()), bits(trained.ema.state()));
    }
  }

  /** If this fails, look at {@code copy} between the devices. */
  @Test
  @Needs(Capability.OTHER_DEVICES)
  @DisplayName("EMA-C16 An average on another device comes back there")
  protected void comesBackOnAnotherDevice() throws IOException {
    EmaConfig config = CONFIG.withDevice(subject().otherDevice());
    Trained<M> saved = trained(models().network(), 65, Values.ORDINARY, config);
    saved.ema.save(file);
    Trained<M> resumed = trained(models().network(), 67, Values.ORDINARY, config);
    Trained<M> onHost = trained(models().network(), 69, Values.ORDINARY, CONFIG);

    resumed.ema.resumeFrom(file);
    onHost.ema.resumeFrom(file);

    assertThat(resumed.ema.state().entries())
        .allMatch(entry -> entry.spec().device().equals(subject().otherDevice()));
    saved.ema.save(folder.resolve("again.safetensors"));
    resumed.ema.save(file);
    assertThat(file).hasSameBinaryContentAs(folder.resolve("again.safetensors"));
    assertSameBits("the model", bits(onHost.model), bits(saved.values));
  }

  /**
   * A model whose average has seen one call of {@code update}.
   *
   * @param start what the average started from
   * @param values the model's present values
   */
  private record Trained<M>(
      M model, StateDict<ArrayTensor> start, StateDict<ArrayTensor> values, ModelEma<M> ema) {}

  private Trained<M> trained(
      StateDict<ArrayTensor> like, long seed, Values magnitudes, EmaConfig config) {
    StateDict<ArrayTensor> start = filled(like, seed, magnitudes);
    StateDict<ArrayTensor> values = filled(like, seed + 1, magnitudes);
    M model = model(start);
    ModelEma<M> ema = average(model, config);
    write(values, model);
    ema.update(model);
    return new Trained<>(model, start, values, ema);
  }

  /** Returns what the average of a trained model should be. */
  private static OracleAverage expected(Trained<?> trained) {
    OracleAverage expected = new OracleAverage(trained.start, AveragingRule.LERP);
    expected.update(trained.values, 0.75);
    return expected;
  }

  private void assertIsNow(Trained<M> resumed, Trained<M> saved) {
    assertSameBits("the model", bits(resumed.model), bits(saved.model));
    assertSameBits("the average", bits(resumed.ema.state()), bits(saved.ema.state()));
    assertThat(resumed.ema.progress()).as("progress").isEqualTo(saved.ema.progress());
  }

  /** Sees that what is tried leaves model, average and progress as they were. */
  private void unchanged(Trained<M> trained, Runnable attempt) {
    List<long[]> average = bits(trained.ema.state());
    Progress progress = trained.ema.progress();

    attempt.run();

    assertSameBits("the model", bits(trained.model), bits(trained.values));
    assertSameBits("the average", bits(trained.ema.state()), average);
    assertThat(trained.ema.progress()).as("progress").isEqualTo(progress);
  }
}
