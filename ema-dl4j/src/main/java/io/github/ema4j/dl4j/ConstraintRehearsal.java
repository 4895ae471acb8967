package io.github.ema4j.dl4j;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.api.layers.LayerConstraint;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.constraint.MinMaxNormConstraint;
import org.deeplearning4j.nn.conf.constraint.NonNegativeConstraint;
import org.deeplearning4j.nn.conf.constraint.UnitNormConstraint;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.conf.layers.wrapper.BaseWrapperLayer;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Shows a network as its constraints will leave it. DL4J applies them after it has called its
 * listeners, and calls no one after that.
 */
final class ConstraintRehearsal implements AutoCloseable {
  /** What depends on the weights alone, so that applying it twice to one state gives one result. */
  private static final Set<Class<?>> PURE =
      Set.of(
          MaxNormConstraint.class,
          MinMaxNormConstraint.class,
          NonNegativeConstraint.class,
          UnitNormConstraint.class);

  private final Model network;
  private @Nullable INDArray kept;

  ConstraintRehearsal(Model network) {
    this.network = network;
  }

  /**
   * Tells whether the network has constraints now.
   *
   * @throws UnsupportedOperationException if it has one that cannot be rehearsed, naming it
   */
  boolean isNeeded() {
    List<LayerConstraint> found = new ArrayList<>();
    for (Layer layer : Networks.layers(network)) {
      if (!Networks.isFrozen(layer)) {
        collect(layer.conf().getLayer(), found);
      }
    }
    for (LayerConstraint constraint : found) {
      if (!PURE.contains(constraint.getClass())) {
        throw new UnsupportedOperationException(
            "the constraint "
                + constraint.getClass().getName()
                + " may give another result when DL4J applies it again after its listeners, so that"
                + " this one cannot know the weights after it; take the listener away and call"
                + " ema.update(network) after each network.fit(batch)");
      }
    }
    return !found.isEmpty();
  }

  private static void collect(
      org.deeplearning4j.nn.conf.layers.@Nullable Layer configuration,
      List<LayerConstraint> found) {
    if (configuration == null) {
      return;
    }
    if (configuration.getConstraints() != null) {
      found.addAll(configuration.getConstraints());
    }
    if (configuration instanceof BaseWrapperLayer wrapper) {
      collect(wrapper.getUnderlying(), found);
    } else if (configuration instanceof Bidirectional both) {
      collect(both.getFwd(), found);
      collect(both.getBwd(), found);
    }
  }

  /** Runs work on the network as its constraints will leave it, and puts the weights back. */
  void rehearse(int iteration, int epoch, Runnable work) {
    INDArray weights = network.params();
    INDArray before = copyOf(weights);
    try {
      network.applyConstraints(iteration, epoch);
      work.run();
    } finally {
      weights.assign(before);
    }
  }

  /** Copies the weights into memory that is kept. */
  private INDArray copyOf(INDArray weights) {
    if (kept == null
        || kept.length() != weights.length()
        || kept.dataType() != weights.dataType()) {
      close();
      kept = weights.dup().detach();
    }
    return kept.assign(weights);
  }

  @Override
  public void close() {
    if (kept != null) {
      kept.close();
      kept = null;
    }
  }
}
