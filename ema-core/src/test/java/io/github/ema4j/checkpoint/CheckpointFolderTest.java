package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.LogCapture;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointFolderTest {

  @TempDir private Path parent;
  @TempDir private Path logs;
  private final float[] weights = {0};
  private final StateDict<ArrayTensor> model =
      StateDict.builder(ArrayBackend.instance()).parameter("w", ArrayTensor.of(weights, 1)).build();
  private final ModelEma<StateDict<ArrayTensor>> ema =
      ModelEma.builder(ArrayBackend.adapter()).build(model);

  @AfterEach
  void close() {
    ema.close();
  }

  @Test
  void theLatestAreKept() throws IOException {
    Path folder = parent.resolve("made").resolve("anew");
    try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(2, folder)) {
      for (int i = 1; i <= 4; i++) {
        step(i);
        checkpoints.save(ema);
      }
    }

    assertThat(names(folder))
        .containsExactly("checkpoint-000003.safetensors", "checkpoint-000004.safetensors");
    assertThat(ema.resumeFromLatest(folder))
        .contains(folder.resolve("checkpoint-000004.safetensors"));
    assertThat(weights).containsExactly(4);
  }

  /** A run that begins anew has earlier times, and its checkpoints are the newest all the same. */
  @Test
  void numbersGoOnWhereAFolderWasLeft() throws IOException {
    try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(1, parent)) {
      step(1);
      step(2);
      checkpoints.save(ema);
    }
    try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(1, parent);
        ModelEma<StateDict<ArrayTensor>> anew =
            ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      weights[0] = 7;
      anew.update(model);
      checkpoints.save(anew);
    }

    ema.resumeFromLatest(parent);
    assertThat(weights).containsExactly(7);
    assertThat(ema.progress().time()).isEqualTo(1);
  }

  @Test
  void whatIsSavedInTheBackgroundIsTheAverageAsItWas() throws IOException {
    try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(3, parent)) {
      step(1);
      checkpoints.saveInBackground(ema);
      step(2);
      checkpoints.saveInBackground(ema);
      step(3);
      assertThat(checkpoints.await()).contains(parent.resolve("checkpoint-000002.safetensors"));
      assertThat(checkpoints.await()).isEmpty();
    }

    ema.resumeFrom(parent.resolve("checkpoint-000001.safetensors"));
    assertThat(weights).containsExactly(1);
    ema.resumeFrom(parent.resolve("checkpoint-000002.safetensors"));
    assertThat(weights).containsExactly(2);
  }

  @Test
  void closingWaitsForWhatIsBeingSaved() throws IOException {
    CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(1, parent);
    checkpoints.saveInBackground(ema);
    checkpoints.close();

    assertThat(names(parent)).containsExactly("checkpoint-000001.safetensors");
  }

  @Test
  void failuresInTheBackgroundSurfaceAtTheNextCallAndAtClose() throws IOException {
    CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(1, parent.resolve("gone"));
    Files.delete(parent.resolve("gone"));

    checkpoints.saveInBackground(ema);
    assertThatThrownBy(() -> checkpoints.save(ema))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("could not be saved in the background")
        .hasMessageContaining("there is no folder");
    checkpoints.saveInBackground(ema);
    assertThatThrownBy(() -> checkpoints.saveInBackground(ema)).isInstanceOf(IOException.class);
    checkpoints.saveInBackground(ema);
    assertThatThrownBy(checkpoints::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("could not be saved in the background");
    checkpoints.close(); // told once
    assertThatIllegalStateException().isThrownBy(() -> checkpoints.save(ema));
    assertThatIllegalStateException().isThrownBy(() -> checkpoints.saveInBackground(ema));
  }

  @Test
  void theNewestSoundCheckpointIsResumed() throws IOException {
    try (CheckpointFolder checkpoints = CheckpointFolder.keepingLatest(3, parent)) {
      step(1);
      checkpoints.save(ema);
      step(2);
      damage(checkpoints.save(ema));
      step(3);
      damage(checkpoints.save(ema));
    }
    try (LogCapture log = LogCapture.of(CheckpointFolder.class)) {
      assertThat(ema.resumeFromLatest(parent))
          .contains(parent.resolve("checkpoint-000001.safetensors"));
      assertThat(weights).containsExactly(1);
      assertThat(log.warnings())
          .hasSize(2)
          .allSatisfy(warning -> assertThat(warning).contains("Passing over a checkpoint"));
    }
    damage(parent.resolve("checkpoint-000001.safetensors"));
    assertThatThrownBy(() -> ema.resumeFromLatest(parent))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("checkpoint-000003");
  }

  private static void damage(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
  }

  @Test
  void otherFilesAreNoCheckpoints() throws IOException {
    for (String name :
        List.of(
            ".ema4j-x.tmp",
            "checkpoint-000009.safetensors.tmp",
            "checkpoint-.safetensors",
            "checkpoint-1234567890123456789.safetensors",
            "xcheckpoint-000001.safetensors",
            "checkpoint-000001.pth")) {
      Files.createFile(parent.resolve(name));
    }

    assertThat(CheckpointFolder.checkpoints(parent)).isEmpty();
    assertThat(ema.resumeFromLatest(parent)).isEmpty();
    assertThat(ema.resumeFromLatest(parent.resolve("missing"))).isEqualTo(Optional.empty());
  }

  @Test
  void whatADeadProcessLeftIsDeletedAndWhatALiveOneWritesIsNot() throws IOException {
    Path abandoned = Files.writeString(parent.resolve(".ema4j-1.tmp"), "x");
    Path justCreated = Files.createFile(parent.resolve(".ema4j-3.tmp"));
    Path ours = parent.resolve("ours.safetensors");
    DurableFiles.write(
        ours,
        channel -> {
          channel.write(ByteBuffer.allocate(3));
          CheckpointFolder.keepingLatest(1, parent).close();
          assertThat(abandoned).doesNotExist();
          assertThat(justCreated).exists();
        });

    assertThat(ours).hasSize(3);
    Path locked = Files.writeString(parent.resolve(".ema4j-2.tmp"), "x");
    try (FileChannel channel = FileChannel.open(locked, StandardOpenOption.WRITE)) {
      channel.lock();
      DurableFiles.deleteAbandoned(parent);
      assertThat(locked).exists();
    }
  }

  /** Systems drop a process's lock when it closes the file anywhere. */
  @Test
  void lookingForWhatIsAbandonedEndsNoLock() throws IOException {
    Path log = logs.resolve("log");
    DurableFiles.write(
        parent.resolve("written"),
        channel -> {
          channel.write(ByteBuffer.allocate(1));
          DurableFiles.deleteAbandoned(parent);
          Process other =
              ChildJvm.start(
                  log, List.of(), CheckpointWriterProgram.class, parent.toString(), "0", "here");
          assertThat(other.onExit().join().exitValue()).as(() -> read(log)).isZero();
        });

    assertThat(parent.resolve("written")).hasSize(1);
  }

  private static String read(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aLimitMustBePositive() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointFolder.keepingLatest(0, parent))
        .withMessage("limit must be at least 1, but was 0");
  }

  private void step(float value) {
    weights[0] = value;
    ema.update(model);
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
