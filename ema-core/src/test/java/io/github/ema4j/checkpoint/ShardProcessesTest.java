package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.ByteStreams;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.internal.SeededTensors;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes that train the same model, each with the average of its shard. */
class ShardProcessesTest {

  @TempDir private Path folder;
  @TempDir private Path logs;
  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void endAll() throws InterruptedException {
    for (Process process : processes) {
      process.toHandle().destroyForcibly();
      process.waitFor();
    }
  }

  @Test
  void threeThenTwoThenOneGiveTheBitsOfOne() throws Exception {
    run(3, 4);
    run(2, 7);
    StateDict<ArrayTensor> resumed = ShardProgram.model();
    StateDict<ArrayTensor> straight = ShardProgram.model();
    try (ModelEma<StateDict<ArrayTensor>> last = average(resumed);
        ModelEma<StateDict<ArrayTensor>> single = average(straight)) {
      for (int step = 1; step <= 7; step++) {
        ShardProgram.step(straight, single);
      }
      Path whole = logs.resolve("single.safetensors");
      single.save(whole);
      assertSameTensors(CheckpointFolder.checkpoints(folder).get(1), whole);

      assertThat(last.resumeFromLatest(folder)).isPresent();
      for (int step = 8; step <= 10; step++) {
        ShardProgram.step(straight, single);
        ShardProgram.step(resumed, last);
      }

      SeededTensors.assertSameBits(resumed, straight, "model");
      SeededTensors.assertSameBits(last.state(), single.state(), "average");
      assertThat(last.progress()).isEqualTo(single.progress());
    }
  }

  private static ModelEma<StateDict<ArrayTensor>> average(StateDict<ArrayTensor> model) {
    return ShardProgram.average(ArrayBackend.adapter(), model);
  }

  private void run(int count, int last) throws Exception {
    for (Process process : start(count, last, last, 60)) {
      assertThat(output(process)).isEqualTo(last + "\n");
      assertThat(process.waitFor()).isZero();
    }
  }

  private List<Process> start(int count, long last, long between, int patience) throws IOException {
    List<Process> started = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      started.add(
          ChildJvm.start(
              log(i),
              List.of(),
              ShardProgram.class,
              folder.toString(),
              String.valueOf(i),
              String.valueOf(count),
              String.valueOf(last),
              String.valueOf(between),
              String.valueOf(patience)));
      processes.add(started.get(i));
    }
    return started;
  }

  private Path log(int index) {
    return logs.resolve("log" + index);
  }

  private static String output(Process process) throws IOException {
    return new String(ByteStreams.toByteArray(process.getInputStream()), StandardCharsets.UTF_8);
  }

  /** Compares by name, as the shards' order is not the model's. */
  private static void assertSameTensors(Path first, Path second) throws IOException {
    try (TensorFile one = TensorFile.open(first);
        TensorFile other = TensorFile.open(second)) {
      assertThat(Golden.content(one.stateDict()))
          .containsExactlyInAnyOrderEntriesOf(Golden.content(other.stateDict()));
    }
  }

  @Test
  void theOthersAreToldOfAProcessThatWasKilled() throws Exception {
    List<Process> group = start(2, Long.MAX_VALUE, 1, 2);
    try (BufferedReader first = group.get(0).inputReader()) {
      assertThat(first.readLine()).isEqualTo("1");
      group.get(1).toHandle().destroyForcibly();
      group.get(1).waitFor();
      while (first.readLine() != null) {
        // What it had saved before.
      }
    }

    assertThat(group.get(0).waitFor()).isNotZero();
    assertThat(Files.readString(log(0)))
        .contains("java.io.IOException: of 2 shards, [1] were not saved within PT2S");
    try (ModelEma<StateDict<ArrayTensor>> ema = average(ShardProgram.model())) {
      assertThat(ema.resumeFromLatest(folder)).isPresent();
    }
  }

  @Test
  void fiveKills() throws Exception {
    killAndResume(5);
  }

  @Tag("full")
  @Test
  void aHundredKills() throws Exception {
    killAndResume(100);
  }

  /**
   * One of two or three processes is killed while they save, then the others; the next ones go on
   * in the same folder.
   */
  private void killAndResume(int kills) throws Exception {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    StateDict<ArrayTensor> straight = ShardProgram.model();
    try (ModelEma<StateDict<ArrayTensor>> single = average(straight)) {
      for (int kill = 0; kill < kills; kill++) {
        String context = String.format("seed %d, kill %d", seed, kill);
        long told = killAfterARandomWhile(random, 2 + random.nextInt(2));
        StateDict<ArrayTensor> resumed = ShardProgram.model();
        try (ModelEma<StateDict<ArrayTensor>> ema = average(resumed)) {
          assertThat(ema.resumeFromLatest(folder)).as(context).isPresent();
          assertThat(ema.progress().time()).as(context).isGreaterThanOrEqualTo(told);
          while (single.progress().time() < ema.progress().time()) {
            ShardProgram.step(straight, single);
          }
          SeededTensors.assertSameBits(resumed, straight, context);
          SeededTensors.assertSameBits(ema.state(), single.state(), context);
        }
        for (Path checkpoint : CheckpointFolder.checkpoints(folder)) {
          try (TensorFile file = TensorFile.open(checkpoint)) { // none was passed over
            file.verify();
          }
        }
      }
    }
  }

  /** Returns the last checkpoint that a process said to be complete. */
  private long killAfterARandomWhile(Random random, int count) throws Exception {
    List<Process> group = start(count, Long.MAX_VALUE, 1, 60);
    Process watched = group.get(random.nextInt(count));
    Process killed = group.get(random.nextInt(count));
    long told = 0;
    try (BufferedReader output = watched.inputReader()) {
      for (int line = 1 + random.nextInt(4); line > 0; line--) {
        String said = output.readLine();
        assertThat(said).as(() -> "a process ended; see " + logs).isNotNull();
        told = Long.parseLong(said);
      }
      watched.waitFor(random.nextInt(20_000), TimeUnit.MICROSECONDS); // it goes on meanwhile
      killed.toHandle().destroyForcibly();
      watched.waitFor(random.nextInt(20_000), TimeUnit.MICROSECONDS);
      for (Process process : group) {
        process.toHandle().destroyForcibly(); // the process itself would close its output, too
        process.waitFor();
      }
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        told = Long.parseLong(line);
      }
    }
    return told;
  }
}
