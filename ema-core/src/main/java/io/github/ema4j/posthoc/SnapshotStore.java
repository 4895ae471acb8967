package io.github.ema4j.posthoc;

import io.github.ema4j.internal.TensorPairs.Tensors;

/** Where snapshots are. */
interface SnapshotStore {

  /**
   * Keeps a snapshot.
   *
   * @param state the tensors, in the layout's order
   * @throws IllegalArgumentException if what is tied in the layout is not in the state
   * @throws IllegalStateException if a tensor is closed or released
   * @throws java.io.UncheckedIOException if it cannot be written
   */
  <T> Snapshot keep(Profile profile, SnapshotLayout layout, Tensors<T> state);

  /**
   * Sees that a snapshot is as it was kept.
   *
   * @throws io.github.ema4j.checkpoint.CheckpointException if it was damaged
   */
  void verify(Snapshot snapshot);

  /** Frees what a snapshot takes: there are newer ones. */
  void drop(Snapshot snapshot);

  /**
   * Takes a snapshot out of use: the training was set back to before it.
   *
   * @throws java.io.UncheckedIOException if that fails
   */
  void supersede(Snapshot snapshot);

  /** Frees what this process needs for a snapshot that is kept. */
  void close(Snapshot snapshot);
}
