package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.ModelAdapter;
import java.util.List;

/**
 * A framework whose models are averaged, by ema4j and by its own operations.
 *
 * @param <M> its model type
 * @param <T> its tensor type
 */
interface Framework<M, T> {

  /** What the tables call it. */
  String name();

  /** Binds its models to averages. */
  ModelAdapter<M, T> adapter();

  /** Returns a model whose parameters are given tensors. */
  M model(List<T> tensors);

  /** How many threads its operations can take. */
  int mostThreads();

  /** Tells the framework how many threads its next operations may take. */
  void useThreads(int threads);

  /**
   * Returns averaging as a user of the framework writes it, by the name of its operations.
   *
   * @param type of the model; the average is float32
   */
  ImmutableMap<String, Peer<T>> peers(ElementType type);

  /**
   * One way to average with a framework's own operations.
   *
   * @param <T> the framework's tensor type
   */
  interface Peer<T> {

    /** Moves averages towards models, pair by pair. */
    void update(List<T> averages, List<T> models, double decay);
  }
}
