package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trainings whose snapshots are in a folder stop, and go on. */
class PostHocResumeTest {
  private static final int STEPS = 100;

  @TempDir private Path temporary;
  private Path folder;
  private Path checkpoint;

  @BeforeEach
  void nameThem() {
    folder = temporary.resolve("snapshots");
    checkpoint = temporary.resolve("checkpoint.safetensors");
  }

  @Test
  void aResumedTrainingGivesTheBitsOfOneThatDidNotStop() throws IOException {
    StateDict<ArrayTensor> model = model();
    StateDict<ArrayTensor> stopped = model();
    StateDict<ArrayTensor> resumed = model();
    try (PostHocEma<StateDict<ArrayTensor>> straight =
        PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(20).build(model)) {
      train(straight, model, STEPS);
      try (PostHocEma<StateDict<ArrayTensor>> first = inFolder().build(stopped)) {
        train(first, stopped, 50);
        first.save(checkpoint);
        train(first, stopped, 75);
        assertThat(first.profiles()).extracting(Profile::time).contains(60L);
      }
      try (PostHocEma<StateDict<ArrayTensor>> second = inFolder().build(resumed)) {
        second.resumeFrom(checkpoint);

        assertThat(second.time()).isEqualTo(50);
        assertThat(second.profiles()).extracting(Profile::time).containsExactly(20L, 20L, 40L, 40L);
        assertThat(files(".superseded")).hasSize(2).allMatch(name -> name.contains("0060-gamma"));
        train(second, resumed, STEPS);
        assertThat(second.profiles()).isEqualTo(straight.profiles());
        assertThat(floats(second.reconstruct(0.08))).isEqualTo(floats(straight.reconstruct(0.08)));
      }
      try (Snapshots later = Snapshots.open(folder)) {
        assertThat(later.profiles()).isEqualTo(straight.profiles());
        assertThat(floats(later.reconstruct(0.08))).isEqualTo(floats(straight.reconstruct(0.08)));
      }
    }
  }

  @Test
  void whatWasSavedInTheBackgroundIsResumedToo() throws IOException {
    StateDict<ArrayTensor> model = model();
    try (PostHocEma<StateDict<ArrayTensor>> ema = inFolder().build(model)) {
      train(ema, model, 30);
      try (var content = ema.capture()) {
        train(ema, model, 45);
        content.write(checkpoint);
      }
      ema.resumeFrom(checkpoint);

      assertThat(ema.time()).isEqualTo(30);
      assertThat(ema.profiles()).extracting(Profile::time).containsExactly(20L, 20L);
    }
  }

  @Test
  void snapshotsInMemoryOfAfterTheCheckpointAreLeftBehindToo() throws IOException {
    StateDict<ArrayTensor> model = model();
    try (PostHocEma<StateDict<ArrayTensor>> ema =
        PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(20).build(model)) {
      train(ema, model, 25);
      ema.save(checkpoint);
      train(ema, model, 45);

      ema.resumeFrom(checkpoint);

      assertThat(ema.profiles()).extracting(Profile::time).containsExactly(20L, 20L);
    }
  }

  @Test
  void aTrainingThatStartsAnewDoesNotMixWithAnother() {
    StateDict<ArrayTensor> model = model();
    try (PostHocEma<StateDict<ArrayTensor>> first = inFolder().build(model)) {
      train(first, model, 40);
    }
    try (PostHocEma<StateDict<ArrayTensor>> second = inFolder().build(model)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> second.update(model))
          .withMessage(
              folder
                  + " has snapshots up to time 40, but these averages are at 0: resume from a"
                  + " checkpoint, or take another folder");
      assertThat(second.time()).isZero();
      assertThat(second.profiles()).hasSize(4);
    }
  }

  @Test
  void aSnapshotThatCannotBeWrittenIsTriedAgain() throws IOException {
    StateDict<ArrayTensor> model = model();
    try (PostHocEma<StateDict<ArrayTensor>> ema = inFolder().build(model)) {
      train(ema, model, 19);
      Files.delete(folder);
      assertThatThrownBy(() -> train(ema, model, 20))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("there is no folder " + folder);
      assertThat(ema.time()).isEqualTo(20);
      assertThat(ema.profiles()).isEmpty();

      Files.createDirectory(folder);
      ema.snapshot();

      assertThat(ema.profiles()).extracting(Profile::time).containsExactly(20L, 20L);
      assertThat(files(".safetensors")).hasSize(2);
    }
  }

  @Test
  void aFolderThatCannotBeOneIsRefused() throws IOException {
    Files.writeString(folder, "a file");

    assertThatThrownBy(() -> inFolder().build(model()))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(folder.toString());
  }

  private PostHocEma.Builder<StateDict<ArrayTensor>> inFolder() {
    return PostHocEma.builder(ArrayBackend.adapter()).snapshotEvery(20).folder(folder);
  }

  private List<String> files(String ending) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(ending))
          .toList();
    }
  }

  private static StateDict<ArrayTensor> model() {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("w", ArrayTensor.of(new float[] {1, 2, 3}, 3))
        .counter("n", ArrayTensor.of(new long[1], 1))
        .build();
  }

  /** Trains up to a step; the next weights depend on those before. */
  private static void train(
      PostHocEma<StateDict<ArrayTensor>> ema, StateDict<ArrayTensor> model, int until) {
    while (ema.time() < until) {
      float[] weights = floats(model);
      for (int i = 0; i < weights.length; i++) {
        weights[i] = weights[i] * 0.9f + (ema.time() + i) % 7;
      }
      ((long[]) model.entries().get(1).tensor().array())[0]++;
      ema.update(model);
    }
  }

  private static float[] floats(StateDict<ArrayTensor> state) {
    return (float[]) state.entries().get(0).tensor().array();
  }
}
