package io.github.ema4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.checkpoint.StreamedShard.Item;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardCommitTest {
  private static final String INDEX = "average.safetensors.index.json";

  @TempDir private Path folder;

  private final StreamedShard layout =
      new StreamedShard(
          List.of(new Item("w", TensorSpec.contiguous(ElementType.F32, 100))), ImmutableMap.of());

  @Test
  void whatLostAttemptsHaveLeftIsDeleted() throws IOException {
    ShardJob job = job("new");
    WrittenShard winner = write(job, 7);
    write(job, 3);
    WrittenShard others = write(job("other"), 1);

    ShardCommit commit = new ShardCommit(job);
    commit.commit(List.of(layout), List.of(winner));
    commit.deleteLeftovers();

    assertThat(Checkpoints.names(folder))
        .containsExactlyInAnyOrder(winner.file(), others.file(), INDEX);
    assertThat(Checkpoints.content(folder.resolve(INDEX))).containsOnlyKeys("w");
  }

  @Test
  void aFileThatIsNotWholeIsNotMadeTheResult() throws IOException {
    ShardJob first = job("first");
    new ShardCommit(first).commit(List.of(layout), List.of(write(first, 1)));
    List<String> before = Checkpoints.names(folder);
    ShardJob second = job("second");
    WrittenShard cut = write(second, 1);
    try (FileChannel file =
        FileChannel.open(folder.resolve(cut.file()), StandardOpenOption.WRITE)) {
      file.truncate(layout.bytes() - 1);
    }

    ShardCommit commit = new ShardCommit(second);
    assertThatThrownBy(() -> commit.commit(List.of(layout), List.of(cut)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is %s one folder for all executors?", "file:" + folder);
    commit.deleteLeftovers();

    assertThat(Checkpoints.names(folder)).isEqualTo(before);
    assertThat(Checkpoints.content(folder.resolve(INDEX))).containsOnlyKeys("w");
  }

  @Test
  void aFileThatTheDriverDoesNotSeeIsNotMadeTheResult() throws IOException {
    ShardJob job = job("job");
    WrittenShard elsewhere = write(job, 1);
    Files.delete(folder.resolve(elsewhere.file()));

    ShardCommit commit = new ShardCommit(job);
    assertThatThrownBy(() -> commit.commit(List.of(layout), List.of(elsewhere)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(elsewhere.file());
    assertThat(Checkpoints.names(folder)).isEmpty();
  }

  private WrittenShard write(ShardJob job, long attempt) throws IOException {
    String name = job.file(0, attempt).getName();
    try (FileChannel file =
        FileChannel.open(
            folder.resolve(name), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      String digest =
          layout.write(file, (item, out) -> out.write(ByteBuffer.allocate((int) item.bytes())));
      return new WrittenShard(0, name, digest);
    }
  }

  private ShardJob job(String id) {
    return new ShardJob(
        id,
        ImmutableList.of(),
        "file:" + folder,
        "average",
        1,
        1,
        new SerializableConfiguration(new Configuration()));
  }
}
