package io.github.ema4j.merge;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableMap.toImmutableMap;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.internal.RowMajorReader;
import io.github.ema4j.internal.StreamedTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * Makes the result of a {@link MergePlan} while it is written: {@link
 * io.github.ema4j.checkpoint.TensorFile#write} and {@link io.github.ema4j.checkpoint.PthWriter}
 * take it as any other state dict, and a few pieces of one tensor are in memory at a time.
 *
 * <pre>{@code
 * MergePlan plan = MergePlan.average(inputs);
 * try (StateDict<?> average = Merge.stateDict(plan, states)) {
 *   TensorFile.write(Path.of("average.safetensors"), average, Map.of());
 * }
 * }</pre>
 */
public final class Merge {

  /** The least memory that there must be. */
  public static final long LEAST_BYTES = Pieces.LEAST_BYTES;

  private Merge() {}

  /**
   * Returns the result, as {@link #stateDict(MergePlan, List, long, LongConsumer)} does without a
   * bound.
   *
   * @throws IllegalArgumentException as there
   */
  public static StateDict<?> stateDict(MergePlan plan, List<? extends StateDict<?>> inputs) {
    return stateDict(plan, inputs, Long.MAX_VALUE, bytes -> {});
  }

  /**
   * Returns the result. The inputs stay the caller's, must live as long as it is used, and are read
   * whenever it is written. Closing it ends its threads.
   *
   * @param inputs what the plan was made for, in its order: tensors in files, or row-major in host
   *     memory
   * @param memoryBytes what pieces and threads may take at most; a few times {@link #LEAST_BYTES}
   *     is as good as any more
   * @param progress told how many bytes more of the result were written, by the writing thread
   * @throws IllegalArgumentException if there is too little memory, or the inputs are not those of
   *     the plan, or lie elsewhere
   */
  public static StateDict<?> stateDict(
      MergePlan plan,
      List<? extends StateDict<?>> inputs,
      long memoryBytes,
      LongConsumer progress) {
    checkArgument(
        memoryBytes >= LEAST_BYTES,
        "an average takes at least %s bytes of memory, but may have %s",
        LEAST_BYTES,
        memoryBytes);
    List<Input<?>> open =
        IntStream.range(0, inputs.size())
            .<Input<?>>mapToObj(i -> Input.of(i, inputs.get(i)))
            .toList();
    StateDict.Builder<StreamedTensor> tensors = StateDict.builder(StreamedTensor.BACKEND);
    Pieces pieces = new Pieces(memoryBytes);
    Map<Object, StreamedTensor> made = new HashMap<>(); // what is tied in all inputs stays tied
    for (MergePlan.Entry entry : plan.entries()) {
      List<Tensor<?>> terms =
          entry.terms().stream().<Tensor<?>>map(term -> tensor(open, term, entry)).toList();
      StreamedTensor.Content content =
          sink -> pieces.write(entry, sources(terms), counted(sink, progress));
      StreamedTensor tensor =
          made.computeIfAbsent(
              List.of(entry.spec(), entry.summed(), terms.stream().map(Tensor::place).toList()),
              place -> new StreamedTensor(entry.spec(), content));
      tensors.add(entry.name(), tensor, entry.role());
    }
    return new Result(tensors.build(), pieces);
  }

  private static RowMajorReader.Sink counted(RowMajorReader.Sink sink, LongConsumer progress) {
    return bytes -> {
      int written = bytes.remaining();
      sink.accept(bytes);
      progress.accept(written);
    };
  }

  private static List<BlockMerger.Source> sources(List<Tensor<?>> terms) {
    return terms.stream().map(Tensor::source).toList();
  }

  private static Tensor<?> tensor(
      List<Input<?>> inputs, MergePlan.Term term, MergePlan.Entry entry) {
    checkArgument(
        term.input() < inputs.size(), "the plan was made for more than %s inputs", inputs.size());
    return inputs.get(term.input()).tensor(term, entry);
  }

  /** One of what is averaged. */
  private record Input<T>(
      int index, TensorBackend<T> backend, ImmutableMap<String, Entry<T>> entries) {

    static <T> Input<T> of(int index, StateDict<T> state) {
      return new Input<>(
          index,
          state.backend(),
          state.entries().stream().collect(toImmutableMap(Entry::name, entry -> entry)));
    }

    /** Finds a term, and checks that it is what was planned. */
    Tensor<T> tensor(MergePlan.Term term, MergePlan.Entry planned) {
      Entry<T> entry = entries.get(term.tensor());
      checkArgument(
          entry != null
              && entry.spec().type() == term.type()
              && entry.spec().shape().equals(planned.spec().shape()),
          "the plan has %s of type %s and shape %s, but that input has %s",
          term,
          term.type(),
          planned.spec().shape(),
          entry == null ? "no such tensor" : entry.spec());
      checkArgument(
          entry.tensor() instanceof FileTensor || isRowMajorOnHost(entry.spec()),
          "'%s' of input %s is neither in a file nor row-major in host memory, but %s; copy it first",
          entry.name(),
          index,
          entry.spec());
      return new Tensor<>(backend, entry);
    }

    private static boolean isRowMajorOnHost(TensorSpec spec) {
      return spec.device().isCpu() && spec.equals(spec.withRowMajorStrides());
    }
  }

  /** A tensor of an input. */
  private record Tensor<T>(TensorBackend<T> backend, Entry<T> entry) {

    /** Returns what tied tensors have in common, and no others. */
    Object place() {
      return List.of(backend.storage(entry.tensor()), entry.spec());
    }

    BlockMerger.Source source() {
      if (entry.tensor() instanceof FileTensor inFile) {
        return inFile::read;
      }
      HostMemory memory = backend.memory(entry.tensor());
      return (first, into) -> RowMajorReader.read(memory, entry.spec().type(), first, into);
    }
  }

  /** The result. */
  private record Result(StateDict<StreamedTensor> tensors, Pieces pieces)
      implements StateDict<StreamedTensor> {

    @Override
    public TensorBackend<StreamedTensor> backend() {
      return tensors.backend();
    }

    @Override
    public List<Entry<StreamedTensor>> entries() {
      return tensors.entries();
    }

    @Override
    public void close() {
      pieces.close();
    }
  }
}
