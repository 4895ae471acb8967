package io.github.ema4j.spark;

import static java.util.Objects.requireNonNull;

import com.google.common.primitives.Ints;
import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.checkpoint.StreamedShard.Item;
import io.github.ema4j.merge.BlockMerger;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * One attempt at a task: it writes one file of the result, from its first byte to its last, under a
 * name that is this attempt's alone. So whatever other attempts there are, before it or beside it,
 * none writes to a file of another; and what failed deletes its own.
 */
final class ShardWriter {
  /** The least that a range has: what is summed at a time. */
  private static final int LEAST_ELEMENTS = 16 << 10;

  private final ShardJob job;
  private final ShardTask task;
  private final long attempt;
  private final Runnable goingOn;
  private final Map<Integer, HadoopSource> sources = new HashMap<>();
  private final BlockMerger merger = new BlockMerger();

  /**
   * Prepares an attempt.
   *
   * @param attempt what no other attempt of the job has
   * @param goingOn called before each range; it throws if the attempt is to end
   */
  ShardWriter(ShardJob job, ShardTask task, long attempt, Runnable goingOn) {
    this.job = job;
    this.task = task;
    this.attempt = attempt;
    this.goingOn = goingOn;
  }

  /**
   * Writes the file.
   *
   * @throws IOException if an input cannot be read, or the file not be written
   */
  WrittenShard write() throws IOException {
    Path file = job.file(task.number(), attempt);
    FileSystem target = HadoopSource.fileSystem(file, job.configuration());
    FSDataOutputStream out = target.create(file, false);
    try {
      String digest = write(out);
      return new WrittenShard(task.number(), file.getName(), digest);
    } catch (IOException | RuntimeException | Error e) {
      deleteAfter(e, target, file);
      throw e;
    } finally {
      sources.values().forEach(HadoopSource::close);
    }
  }

  private String write(FSDataOutputStream out) throws IOException {
    try (out) {
      StreamedShard layout = task.layout();
      Map<String, ShardTask.Tensor> tensors = new HashMap<>();
      task.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
      String digest =
          layout.write(
              new Output(out),
              (item, channel) -> write(item, requireNonNull(tensors.get(item.name())), channel));
      HadoopSource.force(out);
      return digest;
    }
  }

  private void write(Item item, ShardTask.Tensor tensor, WritableByteChannel out)
      throws IOException {
    long elements = item.spec().elements();
    int most = rangeElements(tensor, elements);
    MergePlan.Entry entry = tensor.entry();
    List<RangeSource> terms = new ArrayList<>();
    for (ShardTask.Term term : tensor.terms()) {
      terms.add(new RangeSource(term.in(source(term.file()), item.spec()), most));
    }
    int size = tensor.type().bytes();
    ByteBuffer range = ByteBuffer.allocate(most * size);
    for (long first = 0; first < elements; first += most) {
      goingOn.run();
      range.clear().limit((int) Math.min(most, elements - first) * size);
      merger.merge(entry, terms, first, range);
      out.write(range.flip());
    }
  }

  /** Returns how many elements fit the ranges of all terms and that of the result. */
  private int rangeElements(ShardTask.Tensor tensor, long elements) {
    long fitting = job.taskBytes() / tensor.bytesPerElement();
    long most = Math.min(Math.max(fitting, LEAST_ELEMENTS), Integer.MAX_VALUE / Long.BYTES);
    return Ints.checkedCast(Math.min(most, Math.max(elements, 1)));
  }

  private HadoopSource source(int index) throws IOException {
    HadoopSource open = sources.get(index);
    if (open == null) {
      open = HadoopSource.open(new Path(job.files().get(index)), job.configuration());
      sources.put(index, open);
    }
    return open;
  }

  private static void deleteAfter(Throwable failure, FileSystem target, Path file) {
    try {
      target.delete(file, false);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** Writes to a stream. */
  private record Output(FSDataOutputStream out) implements WritableByteChannel {

    @Override
    public int write(ByteBuffer bytes) throws IOException {
      int count = bytes.remaining();
      out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), count);
      bytes.position(bytes.limit());
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {
      // It is the attempt's.
    }
  }
}
