package io.github.ema4j;

import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import io.github.ema4j.checkpoint.Resumable;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The exponential moving average of one model's weights: {@code ema = d * ema + (1 - d) * model}
 * after every optimiser step.
 *
 * <pre>{@code
 * try (ModelEma<Block> ema = ModelEma.builder(adapter).strategy(nameMatched(0.999)).build(model)) {
 *   for (...) {
 *     trainOneStep(model);
 *     ema.update(model);
 *   }
 *   try (Swap swap = ema.swapInto(model)) {
 *     evaluate(model);
 *   }
 * }
 * }</pre>
 *
 * <p>The average starts as a copy of the model as it is then. It owns its memory (the shadow, and
 * what swaps and {@link #module} need) until {@link #close}; the model stays the caller's and is
 * never changed by an update. A call that fails leaves average and model as they were.
 *
 * <p>One thread at a time: a call that finds another thread's under way fails and changes nothing.
 * {@link #snapshot}, {@link #progress} and {@link #swapped} may be called by any thread at any
 * time.
 *
 * @param <M> the framework's model type
 */
public interface ModelEma<M> extends Average<M>, Resumable, AutoCloseable {

  /** Starts an average with the default configuration. */
  static <M> Builder<M> builder(ModelAdapter<M, ?> adapter) {
    return new Builder<>(adapter);
  }

  /**
   * Updates the average with the model after one step, if the {@link Timing} says that it is time.
   *
   * @throws IllegalArgumentException if the model does not pair with the average, with every
   *     difference
   * @throws IllegalStateException if a swap is open, the average is closed or in use by another
   *     thread, a tensor is closed or released, the model has NaN or infinity where the {@link
   *     NonFiniteGuard} looks and fails, or the clock counts samples
   */
  void update(M model);

  /**
   * Updates the average with the model after some time, if the {@link Timing} says that it is time.
   *
   * @param elapsed how much time passed since the call before, in the clock's unit, at least 1
   * @throws IllegalArgumentException if {@code elapsed} is not positive, or the model does not pair
   *     with the average
   * @throws IllegalStateException as {@link #update(Object)}, or if the schedule gives a number
   *     that is not in [0, 1]
   */
  void update(M model, long elapsed);

  /**
   * Updates the average after one step with a user's own rule for the averaged entries; entries
   * that are copied are copied. The first such update allocates a second shadow, from which the
   * average is restored should the rule fail.
   *
   * @param tensorType the framework's tensor type, such as {@code NDArray.class}
   * @throws IllegalArgumentException if the backend's tensors are of another type, or the model
   *     does not pair with the average
   * @throws IllegalStateException as {@link #update(Object)}
   */
  <T> void update(M model, Class<T> tensorType, UpdateRule<T> rule);

  /**
   * Makes the average a copy of the model. Time goes on as it was; the model is the new starting
   * point.
   *
   * @throws IllegalArgumentException if the model does not pair with the average
   * @throws IllegalStateException as {@link #update(Object)}
   */
  void set(M model);

  /**
   * Overwrites the average with a state dict, of whatever backend, such as another average's {@link
   * #state}. Entries pair as the strategy says; floating types may differ. Progress stays as it is:
   * a schedule that starts with copying will copy over what was loaded, unless the time that had
   * passed is given too.
   *
   * @throws IllegalArgumentException if the state does not pair with the average
   * @throws IllegalStateException as {@link #update(Object)}
   */
  void load(StateDict<?> state);

  /**
   * Overwrites the average with a state dict and goes on from where that one was.
   *
   * @param progress what {@link #progress} said when the state was taken
   * @throws IllegalArgumentException if the state does not pair with the average
   * @throws IllegalStateException as {@link #update(Object)}
   */
  void load(StateDict<?> state, Progress progress);

  /**
   * Moves the shadow to another device, where it stays wherever the model goes.
   *
   * @throws UnsupportedOperationException if the backend has no such device
   * @throws IllegalStateException if a swap is open or the average is closed
   */
  void to(Device device);

  /**
   * Frees the average's memory. Does nothing when called again.
   *
   * @throws IllegalStateException if a swap is open: close it first, as it holds the model's
   *     weights
   */
  @Override
  void close();

  /**
   * Collects what an average is made with.
   *
   * @param <M> the framework's model type
   */
  final class Builder<M> {
    private final ModelAdapter<M, ?> adapter;
    private EmaConfig config = EmaConfig.defaults();
    private @Nullable AverageListener listener;
    private @Nullable Supplier<M> moduleSupplier;
    private @Nullable M moduleCopy;
    private boolean copyTaken;

    private Builder(ModelAdapter<M, ?> adapter) {
      this.adapter = requireNonNull(adapter, "adapter");
    }

    /** Sets everything that a configuration can say, in place of all that was set before. */
    public Builder<M> config(EmaConfig newConfig) {
      config = requireNonNull(newConfig, "config");
      return this;
    }

    /** Sets how entries pair and how fast the average decays. */
    public Builder<M> strategy(EmaStrategy strategy) {
      config = config.withStrategy(strategy);
      return this;
    }

    /** Sets the arithmetic. */
    public Builder<M> rule(AveragingRule rule) {
      config = config.withRule(rule);
      return this;
    }

    /** Sets what is averaged, copied and skipped. */
    public Builder<M> policy(EntryPolicy policy) {
      config = config.withPolicy(policy);
      return this;
    }

    /** Sets the type in which averaged entries are kept. */
    public Builder<M> shadowType(ShadowType shadowType) {
      config = config.withShadowType(shadowType);
      return this;
    }

    /** Sets the device on which the average is kept; the model's by default. */
    public Builder<M> device(Device device) {
      config = config.withDevice(device);
      return this;
    }

    /** Sets when the average is updated. */
    public Builder<M> timing(Timing timing) {
      config = config.withTiming(timing);
      return this;
    }

    /** Sets what happens when the model has NaN or infinity. */
    public Builder<M> guard(NonFiniteGuard guard) {
      config = config.withGuard(guard);
      return this;
    }

    /** Sets whether a model that does not move between updates is warned of. */
    public Builder<M> canary(boolean canary) {
      config = config.withCanary(canary);
      return this;
    }

    /** Adds one that hears of the average's updates, after those that were added before. */
    public Builder<M> listener(AverageListener added) {
      requireNonNull(added, "listener");
      listener = listener == null ? added : new AverageListeners(listener, added);
      return this;
    }

    /**
     * Sets whether averaged elements that have become subnormal are set to zero, as {@link
     * EmaConfig#flushSubnormals} tells; off by default, as it changes results.
     */
    public Builder<M> flushSubnormals(boolean flush) {
      config = config.withFlushSubnormals(flush);
      return this;
    }

    /**
     * Sets what makes the model behind {@link Average#module}, for frameworks that cannot copy one:
     * a model of the same architecture, whatever its weights. The average owns what it returns,
     * unless it refuses it.
     */
    public Builder<M> module(Supplier<M> supplier) {
      checkState(moduleCopy == null, "module was already set to a model");
      moduleSupplier = requireNonNull(supplier, "supplier");
      return this;
    }

    /**
     * Sets a copy of the model, already made, as the model behind {@link Average#module}. It stays
     * the caller's, must live as long as the average, and serves one average: another {@link
     * #build} is refused.
     */
    public Builder<M> module(M copy) {
      checkState(moduleSupplier == null, "module was already set to a supplier");
      moduleCopy = requireNonNull(copy, "copy");
      return this;
    }

    /**
     * Starts the average as a copy of a model.
     *
     * @throws IllegalArgumentException if the model has no entries, overlapping tensors, nothing
     *     that the policy averages or copies, or no entry that a pattern of the policy matches; if
     *     the given copy does not pair with the model or shares memory with it
     * @throws IllegalStateException if the model has no weights yet, or a tensor is closed
     * @throws UnsupportedOperationException if the backend cannot keep such an average
     */
    public ModelEma<M> build(M model) {
      requireNonNull(model, "model");
      checkState(
          !copyTaken, "the copy given as module serves one average; give the next one its own");
      copyTaken = moduleCopy != null;
      return ShadowEma.start(adapter, config, listener, moduleSupplier, moduleCopy, model);
    }
  }
}
