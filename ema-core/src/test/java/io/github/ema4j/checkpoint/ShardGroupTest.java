package io.github.ema4j.checkpoint;

import static com.google.common.collect.Iterables.getOnlyElement;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How processes agree on a checkpoint, with a thread in place of each. */
class ShardGroupTest {
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final Duration SHORT = Duration.ofMillis(20);
  private static final String FIRST = "checkpoint-000001.safetensors.index.json";

  @TempDir private Path folder;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final List<AutoCloseable> opened = new ArrayList<>();

  /** One of the processes. */
  private final class Member {
    private final float[] weights = {0, 0};
    private final StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("a", ArrayTensor.of(weights, 2))
            .parameter("b", ArrayTensor.of(new float[] {1}, 1))
            .parameter("c", ArrayTensor.of(new float[] {2}, 1))
            .build();
    private final ModelEma<StateDict<ArrayTensor>> ema;
    private final CheckpointFolder checkpoints;

    Member(
        ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter,
        double decay,
        CheckpointFolder checkpoints) {
      ema = ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(decay)).build(model);
      opened.add(ema);
      this.checkpoints = checkpoints;
    }

    Member step() {
      Arrays.fill(weights, (float) (ema.progress().time() + 1));
      ema.update(model);
      return this;
    }

    Path save() throws IOException {
      return checkpoints.save(ema);
    }

    /** Saves by another thread. */
    Future<Path> saving() {
      return start(this::save);
    }
  }

  private Member member(int index, int count, Duration patience) throws IOException {
    return new Member(
        ArrayBackend.adapter().shard(index, count), 0.5, open(index, count, patience));
  }

  private Member member(int index, int count) throws IOException {
    return member(index, count, LONG);
  }

  private CheckpointFolder open(int index, int count, Duration patience) throws IOException {
    CheckpointFolder checkpoints =
        CheckpointFolder.keepingLatest(2, folder, index, count, patience);
    opened.add(checkpoints);
    return checkpoints;
  }

  @AfterEach
  void close() throws Exception {
    threads.shutdown();
    assertThat(threads.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
    for (AutoCloseable each : opened) {
      each.close();
    }
  }

  private <V> Future<V> start(Callable<V> work) {
    return threads.submit(work);
  }

  /** Returns how some work failed. */
  private static String failure(Future<?> work) throws InterruptedException {
    try {
      return "it did not fail, but returned " + work.get();
    } catch (ExecutionException e) {
      return String.valueOf(e.getCause());
    }
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.startsWith("."))
          .sorted()
          .toList();
    }
  }

  private static void assertAverage(Path checkpoint, float expected) throws IOException {
    try (TensorFile file = TensorFile.open(checkpoint)) {
      file.verify();
      assertThat(file.tensors().keySet())
          .containsExactlyInAnyOrder("model.a", "model.b", "model.c", "ema.a", "ema.b", "ema.c");
    }
    StateDict<ArrayTensor> model =
        StateDict.builder(ArrayBackend.instance())
            .parameter("a", ArrayTensor.of(new float[2], 2))
            .parameter("b", ArrayTensor.of(new float[1], 1))
            .parameter("c", ArrayTensor.of(new float[1], 1))
            .build();
    try (ModelEma<StateDict<ArrayTensor>> whole =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(0.5))
            .build(model)) {
      whole.resumeFrom(checkpoint);
      assertThat((float[]) ((ArrayTensor) whole.state().entries().get(0).tensor()).array())
          .containsOnly(expected);
    }
  }

  @Test
  void whatSeveralSaveIsOneCheckpoint() throws Exception {
    Member first = member(0, 3).step();
    Member second = member(1, 3).step();
    Member third = member(2, 3).step();

    List<Future<Path>> saved = List.of(second.saving(), first.saving(), third.saving());

    for (Future<Path> each : saved) {
      assertThat(each.get()).isEqualTo(folder.resolve(FIRST));
    }
    assertAverage(folder.resolve(FIRST), 0.5f);
    assertThat(files())
        .hasSize(4)
        .anyMatch(
            name -> name.matches("checkpoint-000001\\.[0-9a-f]{16}-00003-of-00003.safetensors"));
    assertThat(third.ema.resumeFromLatest(folder)).contains(folder.resolve(FIRST));
  }

  @Test
  void theLatestAreKeptWithTheirShards() throws Exception {
    Member first = member(0, 2);
    Member second = member(1, 2);
    for (int i = 0; i < 4; i++) {
      second.step().checkpoints.saveInBackground(second.ema);
      first.step().checkpoints.saveInBackground(first.ema);
    }
    assertThat(first.checkpoints.await()).isEqualTo(second.checkpoints.await()).isPresent();

    assertThat(CheckpointFolder.checkpoints(folder))
        .containsExactly(
            folder.resolve("checkpoint-000003.safetensors.index.json"),
            folder.resolve("checkpoint-000004.safetensors.index.json"));
    assertThat(files()).hasSize(6);
    assertAverage(CheckpointFolder.checkpoints(folder).get(1), 3.0625f);
  }

  @Test
  void oneProcessAloneIsAGroupToo() throws Exception {
    assertAverage(member(0, 1).step().save(), 0.5f);
  }

  /** Checkpoints of one process follow those of several, and the other way round. */
  @Test
  void theNumberOfProcessesMayChange() throws Exception {
    Member first = member(0, 2).step();
    Future<Path> saved = member(1, 2).step().saving();
    first.save();
    saved.get();
    try (CheckpointFolder single = CheckpointFolder.keepingLatest(1, folder)) {
      Member alone = new Member(ArrayBackend.adapter(), 0.5, single);
      alone.ema.resumeFromLatest(folder);
      single.save(alone.step().ema);
    }

    assertThat(files()).containsExactly("checkpoint-000002.safetensors");
    first.checkpoints.close();
    Member anew = member(0, 1);
    anew.ema.resumeFromLatest(folder);
    assertAverage(anew.step().save(), 2.125f);
  }

  @Test
  void processesThatDoNotComeAreTold() throws IOException {
    assertThatThrownBy(member(0, 3, SHORT).step()::save)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("of 3 shards, [1, 2] were not saved within PT0.02S");
    assertThat(CheckpointFolder.checkpoints(folder)).isEmpty();

    assertThatThrownBy(member(1, 3, SHORT).step()::save)
        .as("a call that has failed is not answered")
        .hasMessageContaining("has not called for shards");
    assertThat(getOnlyElement(files())).endsWith(".failed");
  }

  @Test
  void aCallThatDoesNotComeIsTold() throws IOException {
    assertThatThrownBy(member(1, 2, SHORT).step()::save)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("shard 0 has not called for shards within PT0.02S");
  }

  @Test
  void anotherStepIsRefusedByAll() throws Exception {
    Member first = member(0, 2).step();
    Member second = member(1, 2).step();
    Future<Path> other = second.saving();
    first.save();
    other.get();
    List<String> before = files();

    other = second.step().step().saving();
    assertThatThrownBy(first.step()::save)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("were not written together")
        .hasMessageContaining("ema4j.average.0.time is '2' and '3'");
    assertThat(failure(other))
        .startsWith("java.io.IOException: another process failed to save: shard 0 of 2: ")
        .contains("ema4j.average.0.time is '2' and '3'");
    assertThat(files()).containsAll(before).hasSize(before.size() + 1);

    // What failed harms no one, and is gone when the next one succeeds.
    other = second.saving();
    assertAverage(first.step().save(), 2.125f);
    other.get();
    assertThat(files()).hasSize(6).containsAll(before);
  }

  @Test
  void anotherConfigurationIsRefusedByAll() throws Exception {
    Member first = member(0, 2).step();
    Member second = new Member(ArrayBackend.adapter().shard(1, 2), 0.75, open(1, 2, LONG)).step();
    Future<Path> other = second.saving();

    assertThatThrownBy(first::save)
        .hasMessageContaining("decay = 0.5")
        .hasMessageContaining("decay = 0.75");
    assertThat(failure(other)).contains("decay = 0.75");
  }

  @Test
  void anotherNumberOfProcessesIsRefusedByAll() throws Exception {
    Member first = member(0, 3).step();
    Future<Path> other = member(1, 2).step().saving();

    assertThatThrownBy(first::save)
        .hasMessageContaining("-00002-of-00002.safetensors is there, but this process is one of 3");
    assertThat(failure(other)).contains("this process is one of 3");
  }

  @Test
  void theSameShardTwiceIsRefusedByAll() throws Exception {
    Member first = member(0, 2).step();
    Member second = new Member(ArrayBackend.adapter().shard(0, 2), 0.5, open(1, 2, LONG)).step();
    Future<Path> other = second.saving();

    assertThatThrownBy(first::save)
        .hasMessageContaining("'model.a': it is in checkpoint-000001")
        .hasMessageContaining("each process has a shard of its own");
    assertThat(failure(other)).contains("each process has a shard of its own");
  }

  @Test
  void averagesOfWholeModelsAreRefusedByAll() throws Exception {
    Member first = new Member(ArrayBackend.adapter(), 0.5, open(0, 2, LONG)).step();
    Future<Path> other = new Member(ArrayBackend.adapter(), 0.5, open(1, 2, LONG)).step().saving();

    assertThatThrownBy(first::save).hasMessageContaining("adapter.shard(index, count)");
    assertThat(failure(other)).contains("adapter.shard(index, count)");
  }

  /** Two of three shards, as if they were all. */
  @Test
  void shardsThatAreNotAllAreRefused() throws Exception {
    Member first = new Member(ArrayBackend.adapter().shard(0, 3), 0.5, open(0, 2, LONG)).step();
    Future<Path> other =
        new Member(ArrayBackend.adapter().shard(1, 3), 0.5, open(1, 2, LONG)).step().saving();

    assertThatThrownBy(first::save)
        .hasMessageContaining("it has 4 tensors of a checkpoint that has 6");
    assertThat(failure(other)).contains("6");
    assertThat(CheckpointFolder.checkpoints(folder)).isEmpty();
  }

  @Test
  void whatOneCannotSaveAllAreTold() throws Exception {
    Member first = member(0, 2).step();
    Member second = member(1, 2).step();
    try (Swap swap = second.ema.swapInto(second.model)) {
      Future<Path> other = second.saving();
      assertThatThrownBy(first::save)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("another process failed to save: shard 1 of 2: ")
          .hasMessageContaining("swapped");
      assertThat(failure(other)).startsWith("java.lang.IllegalStateException");
      assertThat(swap).isNotNull();
    }
  }

  /** The first process was killed after it had called; a shard of that save is there, too. */
  @Test
  void aCallOfADeadProcessIsAnsweredInVain() throws Exception {
    String dead = "checkpoint-000001.0123456789abcdef";
    Path stale = folder.resolve(dead + "-00002-of-00003.safetensors");
    Files.writeString(folder.resolve(".ema4j-call"), dead);
    Files.writeString(stale, "of another run");
    Future<Path> third = member(2, 3).step().saving();
    while (!Files.exists(folder.resolve(dead + "-00003-of-00003.safetensors"))) {
      Thread.onSpinWait();
    }

    Future<Path> second = member(1, 3).step().saving();
    assertAverage(member(0, 3).step().save(), 0.5f);

    assertThat(second.get()).isEqualTo(third.get());
    assertThat(stale).doesNotExist();
    assertThat(files()).hasSize(4).noneMatch(name -> name.startsWith(dead));
  }

  /** The call for a checkpoint that is complete is still there. */
  @Test
  void aShardOfACheckpointIsNeverOverwritten() throws Exception {
    Member first = member(0, 2).step();
    Member second = member(1, 2).step();
    Future<Path> other = second.saving();
    first.save();
    other.get();
    assertThat(folder.resolve(".ema4j-call")).exists();
    List<String> before = files();
    second.checkpoints.close();

    assertThatThrownBy(member(1, 2, SHORT).step().step()::save)
        .hasMessageContaining("has not called for shards");

    assertThat(files()).isEqualTo(before);
    assertAverage(folder.resolve(FIRST), 0.5f);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../checkpoint-000001.0123456789abcdef", "checkpoint-1.x", "x"})
  void aCallThatIsNoneIsNotAnswered(String content) throws IOException {
    Files.writeString(folder.resolve(".ema4j-call"), content);

    assertThatThrownBy(member(1, 2, SHORT).step()::save).hasMessageContaining("has not called");
    assertThat(files()).isEmpty();
  }

  @Test
  void twoProcessesCannotHaveOneShard() throws IOException {
    CheckpointFolder first = CheckpointFolder.keepingLatest(1, folder, 1, 2, LONG);
    assertThatThrownBy(() -> CheckpointFolder.keepingLatest(1, folder, 1, 3, LONG))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("shard 1 is already saved to " + folder);
    first.close();
    CheckpointFolder.keepingLatest(1, folder, 1, 3, LONG).close();
  }

  @Test
  void whatAnUnsoundIndexMayNameIsNotDeleted() throws Exception {
    Path index = folder.resolve("checkpoint-000007.safetensors.index.json");
    Path shard = folder.resolve("checkpoint-000007.0123456789abcdef-00001-of-00002.safetensors");
    Files.writeString(index, "{");
    Files.writeString(shard, "perhaps of that index");

    member(0, 1).step().save();

    assertThat(shard).exists();
    assertAverage(folder.resolve("checkpoint-000008.safetensors.index.json"), 0.5f);
  }

  @Test
  void oneThatIsInterruptedStopsWaiting() throws Exception {
    Member second = member(1, 2).step();
    Future<String> stopped =
        start(
            () -> {
              Thread.currentThread().interrupt();
              assertThatThrownBy(second::save).hasMessageContaining("interrupted while waiting");
              return "interrupted: " + Thread.interrupted();
            });

    assertThat(stopped.get()).isEqualTo("interrupted: true");
  }

  @Test
  void aGroupHasItsShards() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointFolder.keepingLatest(1, folder, 0, 0, LONG));
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> CheckpointFolder.keepingLatest(1, folder, 2, 2, LONG));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> CheckpointFolder.keepingLatest(0, folder, 0, 1, LONG));
  }
}
