package io.github.ema4j.spi;

import io.github.ema4j.StateDict;

/**
 * Binds a framework's models to core.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public interface ModelAdapter<M, T> {

  /** Returns what knows about the framework's tensors. */
  TensorBackend<T> backend();

  /**
   * Returns a live view of a model's tensors in the framework's order, under its own names; storage
   * that the framework lists under several names may be listed as often.
   *
   * @throws IllegalStateException if the model has no weights yet
   */
  StateDict<T> stateDict(M model);

  /**
   * Returns a copy of a model that shares no memory with it. The caller owns it.
   *
   * @throws UnsupportedOperationException if the framework has no copy of such a model; the message
   *     shows how to pass a supplier
   */
  M copy(M model);

  /**
   * Gives a model that a user supplied as a copy its weights, where it has none yet; their values
   * do not matter.
   *
   * @param copy the model to initialize
   * @param model the model whose shapes and types it is to have
   * @return whether the copy had no weights and has them now; they are then freed by {@link
   *     #releaseCopy} even if the copy is refused
   */
  default boolean initializeLike(M copy, M model) {
    return false;
  }

  /** Puts a copy into evaluation mode, without gradients. Values stay as they are. */
  void evaluationMode(M copy);

  /**
   * Frees a copy and all of its tensors. Called once for what {@link #copy} made, what {@link
   * #initializeLike} initialized, and what a user's supplier gave to the average that is closed.
   */
  void releaseCopy(M copy);

  /**
   * Returns the adapter for a process that averages one of several shards of a model, as {@link
   * StateDict#shard} divides it: each process has the whole model and keeps the average of its
   * part. A {@link io.github.ema4j.checkpoint.CheckpointFolder} joins what they save.
   *
   * <p>Of such an average, {@code swapInto} and {@code copyTo} write the tensors of the shard and
   * leave the others, which the processes exchange by means of the framework; there is no {@code
   * module}. {@code load} and {@code resumeFrom} take their part of a whole, whatever number of
   * processes wrote it; {@code resumeFrom} restores the whole model. The guard looks at the shard
   * alone, so it cannot be {@link io.github.ema4j.NonFiniteGuard#SKIP}.
   *
   * @param index which shard, in [0, count)
   * @param count how many processes there are
   */
  default ModelAdapter<M, T> shard(int index, int count) {
    return index == 0 && count == 1 ? this : new ShardAdapter<>(this, index, count);
  }
}
