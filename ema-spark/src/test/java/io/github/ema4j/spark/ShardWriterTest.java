package io.github.ema4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableList;
import com.sun.management.ThreadMXBean;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardWriterTest {
  @TempDir private Path folder;
  private Path output;

  @BeforeEach
  void createOutput() throws IOException {
    output = Files.createDirectory(folder.resolve("output"));
  }

  @Test
  void attemptsBesideEachOtherWriteFilesOfTheirOwn() throws IOException {
    ShardTask task = task(100_000, 2);
    List<WrittenShard> written = new ArrayList<>();
    ShardWriter second = writer(task, 2, 1, () -> {});
    Runnable runSecond =
        () -> {
          if (written.isEmpty()) {
            written.add(write(second));
          }
        };

    written.add(write(writer(task, 1, 1, runSecond)));

    assertThat(written.get(0).file()).isNotEqualTo(written.get(1).file());
    assertThat(written.get(0).digest()).isEqualTo(written.get(1).digest());
    byte[] one = Files.readAllBytes(output.resolve(written.get(0).file()));
    assertThat(one).isEqualTo(Files.readAllBytes(output.resolve(written.get(1).file())));
    try (TensorFile file = TensorFile.open(output.resolve(written.get(0).file()))) {
      assertThat(file.tensors()).hasSize(1);
    }
  }

  @Test
  void anAttemptThatIsEndedDeletesItsFileAlone() throws IOException {
    ShardTask task = task(100_000, 2);
    WrittenShard other = write(writer(task, 1, 1, () -> {}));
    int[] ranges = {0};
    ShardWriter ended =
        writer(
            task,
            2,
            1,
            () -> {
              if (ranges[0]++ == 2) {
                throw new IllegalStateException("ended");
              }
            });

    assertThatThrownBy(ended::write).hasMessage("ended");
    assertThat(Checkpoints.names(output)).containsExactly(other.file());
  }

  @Test
  void anAttemptDoesNotWriteOverAFile() throws IOException {
    ShardTask task = task(10, 1);
    write(writer(task, 1, 1, () -> {}));
    List<String> before = Checkpoints.names(output);

    assertThatThrownBy(() -> writer(task, 1, 1, () -> {}).write())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("exist");
    assertThat(Checkpoints.names(output)).isEqualTo(before);
  }

  /** What was allocated at all bounds what was in memory at a time. */
  @Test
  void memoryDoesNotGrowWithTheModel() throws IOException {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    write(writer(task(100, 3), 1, 1, () -> {})); // loads classes
    ShardTask large = task(8_000_000, 3);

    long before = threads.getCurrentThreadAllocatedBytes();
    write(writer(large, 2, 1 << 20, () -> {}));

    assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(4 << 20);
  }

  /** The files' names, which are longer, are sent to each executor once. */
  @Test
  void aTaskIsSentFewerThanFortyBytesForEachTerm() throws IOException {
    int inputs = 100;
    int tensors = 16;
    ImmutableList.Builder<ShardTask.Tensor> all = ImmutableList.builder();
    for (int t = 0; t < tensors; t++) {
      ImmutableList.Builder<ShardTask.Term> terms = ImmutableList.builder();
      for (int i = 0; i < inputs; i++) {
        terms.add(new ShardTask.Term(i, (long) t << 40, false, ElementType.F32, 1.0 / inputs));
      }
      all.add(
          new ShardTask.Tensor(
              "layers." + t + ".attention.query.weight",
              Role.PARAMETER,
              ElementType.F32,
              ImmutableList.of(4_096L, 4_096L),
              true,
              terms.build()));
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(new ShardTask(0, all.build()));
    }

    assertThat(bytes.size()).isLessThan(40 * inputs * tensors);
  }

  private static WrittenShard write(ShardWriter writer) {
    try {
      return writer.write();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private ShardWriter writer(ShardTask task, long attempt, long taskBytes, Runnable goingOn) {
    ImmutableList<String> inputs =
        IntStream.range(0, task.tensors().get(0).terms().size())
            .mapToObj(i -> folder.resolve("input" + i).toUri().toString())
            .collect(ImmutableList.toImmutableList());
    ShardJob job =
        new ShardJob(
            "job",
            inputs,
            output.toUri().toString(),
            "average",
            1,
            taskBytes,
            new SerializableConfiguration(new Configuration()));
    return new ShardWriter(job, task, attempt, goingOn);
  }

  /** Writes files of one tensor each, and returns the task that sums them. */
  private ShardTask task(int elements, int inputs) throws IOException {
    ImmutableList.Builder<ShardTask.Term> terms = ImmutableList.builder();
    for (int i = 0; i < inputs; i++) {
      Path path = folder.resolve("input" + i);
      StateDict<ArrayTensor> state =
          StateDict.builder(ArrayBackend.instance())
              .parameter("w", ArrayTensor.of(new float[elements], elements))
              .build();
      TensorFile.write(path, state, Map.of());
      try (TensorFile file = TensorFile.open(path)) {
        FileTensor tensor = file.tensors().get("w");
        terms.add(new ShardTask.Term(i, tensor.offset(), false, ElementType.F32, 1.0 / inputs));
      }
    }
    return new ShardTask(
        0,
        ImmutableList.of(
            new ShardTask.Tensor(
                "w",
                Role.PARAMETER,
                ElementType.F32,
                ImmutableList.of((long) elements),
                true,
                terms.build())));
  }
}
