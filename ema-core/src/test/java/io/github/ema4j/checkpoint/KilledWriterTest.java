package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that saves is killed at random moments; what it had said to be saved is there. */
class KilledWriterTest {

  @TempDir private Path folder;
  @TempDir private Path logs;

  @Test
  void twentyKills() throws Exception {
    killAndResume(20);
  }

  @Tag("full")
  @Test
  void threeHundredKills() throws Exception {
    killAndResume(300);
  }

  /** Each process goes on where the one before was killed, in one folder. */
  private void killAndResume(int kills) throws Exception {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    float[] weights = new float[CheckpointWriterProgram.ELEMENTS];
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(weights, weights.length))
            .build();
    for (int kill = 0; kill < kills; kill++) {
      long told = killAfterARandomWhile(random);
      try (ModelEma<StateDict<ArrayTensor>> ema = CheckpointWriterProgram.average(model)) {
        assertThat(ema.resumeFromLatest(folder)).as("seed %d, kill %d", seed, kill).isPresent();

        long time = ema.progress().time();
        assertThat(time).as("seed %d, kill %d", seed, kill).isGreaterThanOrEqualTo(told);
        assertThat(weights).as("seed %d, kill %d", seed, kill).containsOnly((float) time);
        assertThat((float[]) ((ArrayTensor) ema.state().entries().get(0).tensor()).array())
            .containsOnly((float) time);
      }
      // The newest is the one that was resumed: none was passed over.
      List<Path> complete = CheckpointFolder.checkpoints(folder);
      for (Path checkpoint : complete) {
        try (TensorFile file = TensorFile.open(checkpoint)) {
          file.verify();
        }
      }
    }
  }

  /** Returns the last checkpoint that the process said to be complete. */
  private long killAfterARandomWhile(Random random) throws IOException, InterruptedException {
    String how = random.nextBoolean() ? "background" : "here";
    Process process =
        ChildJvm.start(
            logs.resolve("log"),
            List.of(),
            CheckpointWriterProgram.class,
            folder.toString(),
            String.valueOf(Integer.MAX_VALUE),
            how);
    long told = 0;
    try (BufferedReader output = process.inputReader()) {
      for (int line = 1 + random.nextInt(4); line > 0; line--) {
        String said = output.readLine();
        assertThat(said).as(() -> log()).isNotNull();
        told = Long.parseLong(said);
        DurableFiles.deleteAbandoned(folder); // not what it is writing, or it would fail
      }
      process.waitFor(random.nextInt(20_000), TimeUnit.MICROSECONDS); // it goes on meanwhile
      process.toHandle().destroyForcibly(); // the process itself would close its output, too
      process.waitFor();
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        told = Long.parseLong(line);
      }
    }
    return told;
  }

  private String log() {
    try {
      return Files.readString(logs.resolve("log"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
