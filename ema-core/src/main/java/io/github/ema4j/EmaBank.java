package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.Resumable;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Several averages of one model, each with a schedule of its own, that are updated in one pass over
 * the model: to find out which decay serves best, or to keep a fast and a slow one.
 *
 * <pre>{@code
 * try (EmaBank<Block> bank =
 *     EmaBank.builder(adapter)
 *         .average("fast", DecaySchedule.constant(0.99))
 *         .average("slow", DecaySchedule.constant(0.9999))
 *         .build(model)) {
 *   for (...) {
 *     trainOneStep(model);
 *     bank.update(model);
 *   }
 *   try (Swap swap = bank.average("slow").swapInto(model)) {
 *     evaluate(model);
 *   }
 * }
 * }</pre>
 *
 * <p>All else is as in {@link ModelEma}: the averages start as copies of the model, the bank owns
 * their memory until {@link #close}, and a call that fails leaves averages and model as they were.
 * Its averages are read like any other, but only the bank writes them; while one is swapped into a
 * model, none is updated, written or swapped in. Calls on the bank and on its averages come from
 * one thread at a time, as on one {@link ModelEma}.
 *
 * @param <M> the framework's model type
 */
public final class EmaBank<M> implements Resumable, AutoCloseable {
  private final Averages<M, ?> engine;
  private final ImmutableMap<String, Average<M>> averages;

  private EmaBank(Averages<M, ?> engine, Iterable<String> names) {
    this.engine = engine;
    ImmutableMap.Builder<String, Average<M>> named = ImmutableMap.builder();
    int index = 0;
    for (String name : names) {
      named.put(name, engine.members().get(index));
      index++;
    }
    averages = named.buildOrThrow();
  }

  /** Starts a bank with the default configuration and no averages yet. */
  public static <M> Builder<M> builder(ModelAdapter<M, ?> adapter) {
    return new Builder<>(adapter);
  }

  /** Returns the averages by name, in the order in which they were given. */
  public ImmutableMap<String, Average<M>> averages() {
    return averages;
  }

  /**
   * Returns one of the averages.
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public Average<M> average(String name) {
    Average<M> average = averages.get(name);
    checkArgument(
        average != null, "the bank has no average '%s', only %s", name, averages.keySet());
    return average;
  }

  /**
   * Updates all averages with the model after one step, as {@link ModelEma#update(Object)}.
   *
   * @throws IllegalArgumentException as {@link ModelEma#update(Object)}
   * @throws IllegalStateException as {@link ModelEma#update(Object)}
   */
  public void update(M model) {
    engine.update(model);
  }

  /**
   * Updates all averages with the model after some time, as {@link ModelEma#update(Object, long)}.
   *
   * @param elapsed how much time passed since the call before, in the clock's unit, at least 1
   * @throws IllegalArgumentException as {@link ModelEma#update(Object, long)}
   * @throws IllegalStateException as {@link ModelEma#update(Object, long)}
   */
  public void update(M model, long elapsed) {
    engine.update(model, elapsed);
  }

  /**
   * Makes all averages copies of the model, as {@link ModelEma#set}.
   *
   * @throws IllegalArgumentException as {@link ModelEma#set}
   * @throws IllegalStateException as {@link ModelEma#set}
   */
  public void set(M model) {
    engine.set(model);
  }

  /**
   * Overwrites one of the averages with a state dict and goes on from where that one was. All
   * averages of a bank are at the same time: load all of them.
   *
   * @param name which average
   * @param progress what its {@link Average#progress} said when the state was taken
   * @throws IllegalArgumentException if there is none of that name, or as {@link
   *     ModelEma#load(StateDict, Progress)}
   * @throws IllegalStateException as {@link ModelEma#load(StateDict, Progress)}
   */
  public void load(String name, StateDict<?> state, Progress progress) {
    average(name);
    engine.load(averages.keySet().asList().indexOf(name), state, progress);
  }

  @Override
  public void save(Path file) throws IOException {
    checkpointing().save(file);
  }

  @Override
  public CheckpointContent capture() {
    return checkpointing().capture();
  }

  @Override
  public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
    checkpointing().resumeFrom(checkpoint, choice);
  }

  private Checkpointing<M, ?> checkpointing() {
    return new Checkpointing<>(engine, averages.keySet().asList());
  }

  /**
   * Moves all shadows to another device, as {@link ModelEma#to}.
   *
   * @throws UnsupportedOperationException as {@link ModelEma#to}
   * @throws IllegalStateException as {@link ModelEma#to}
   */
  public void to(Device device) {
    engine.to(device);
  }

  /**
   * Frees all averages' memory. Does nothing when called again.
   *
   * @throws IllegalStateException if a swap is open: close it first, as it holds the model's
   *     weights
   */
  @Override
  public void close() {
    engine.close();
  }

  /**
   * Collects what a bank is made with.
   *
   * @param <M> the framework's model type
   */
  public static final class Builder<M> {
    private final ModelAdapter<M, ?> adapter;
    private final Map<String, DecaySchedule> schedules = new LinkedHashMap<>();
    private EmaConfig config = EmaConfig.defaults();
    private @Nullable Supplier<M> moduleSupplier;

    private Builder(ModelAdapter<M, ?> adapter) {
      this.adapter = requireNonNull(adapter, "adapter");
    }

    /** Sets everything that the averages have in common; the strategy's schedule is not used. */
    public Builder<M> config(EmaConfig newConfig) {
      config = requireNonNull(newConfig, "config");
      return this;
    }

    /**
     * Sets everything that the averages have in common, and adds those that the configuration has.
     *
     * @throws IllegalArgumentException if there is an average of the same name
     */
    public Builder<M> config(EmaBankConfig newConfig) {
      config(newConfig.common());
      newConfig.schedules().forEach(this::average);
      return this;
    }

    /**
     * Adds an average.
     *
     * @throws IllegalArgumentException if the name is empty or there is one of that name
     */
    public Builder<M> average(String name, DecaySchedule schedule) {
      checkArgument(!name.isEmpty(), "an average must have a name, but it was empty");
      checkArgument(!schedules.containsKey(name), "there is an average '%s' already", name);
      schedules.put(name, requireNonNull(schedule, "schedule"));
      return this;
    }

    /**
     * Sets what makes the model behind each {@link Average#module}, as {@link
     * ModelEma.Builder#module(Supplier)}: it is asked once for each average.
     */
    public Builder<M> module(Supplier<M> supplier) {
      moduleSupplier = requireNonNull(supplier, "supplier");
      return this;
    }

    /**
     * Starts the averages as copies of a model.
     *
     * @throws IllegalArgumentException as {@link ModelEma.Builder#build}
     * @throws IllegalStateException if there are no averages, or as {@link ModelEma.Builder#build}
     * @throws UnsupportedOperationException as {@link ModelEma.Builder#build}
     */
    public EmaBank<M> build(M model) {
      requireNonNull(model, "model");
      checkState(!schedules.isEmpty(), "a bank needs averages; name each with its schedule");
      Averages<M, ?> engine =
          Averages.start(
              adapter,
              config,
              ImmutableList.copyOf(schedules.values()),
              moduleSupplier,
              null,
              model);
      engine.logStart(new EmaBankConfig(config, schedules));
      return new EmaBank<>(engine, schedules.keySet());
    }
  }
}
