package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.Average;
import io.github.ema4j.EmaBank;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.Resumable;
import io.github.ema4j.schedule.PowerFunction;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Averages of one model from which, after the training, the average of any other width is put
 * together: the width need not be known beforehand, nor the training be repeated to find it.
 *
 * <p>It keeps an average for each of a few power functions, two by default, and every so often a
 * snapshot of each. From Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion
 * Models", 2024, section 3.2.
 *
 * <pre>{@code
 * try (PostHocEma<Block> ema = PostHocEma.builder(adapter).snapshotEvery(1_000).build(model)) {
 *   for (...) {
 *     trainOneStep(model);
 *     ema.update(model);
 *   }
 *   StateDict<ArrayTensor> average = ema.reconstruct(0.08);
 * }
 * }</pre>
 *
 * <p>It owns the averages' memory, on the model's device unless the configuration names another,
 * and that of the {@link Snapshots}, in host memory unless {@link Builder#folder} names a folder,
 * until {@link #close}; the model stays the caller's and is changed by resuming alone. Not
 * thread-safe: one thread at a time.
 *
 * <p>A checkpoint has model and averages, not the snapshots. With a folder, a training that is
 * resumed goes on with the snapshots up to the checkpoint's time. Those that were taken later,
 * before it stopped, are set aside under other names, as it will take them anew.
 *
 * @param <M> the framework's model type
 */
public final class PostHocEma<M> implements Resumable, AutoCloseable {
  private final ImmutableList<PowerFunction> schedules;
  private final long interval;
  private final EmaBank<M> bank;
  private final ImmutableList<Average<M>> averages;
  private final Snapshots snapshots;
  private final @Nullable Path folder;

  private PostHocEma(Builder<M> builder, EmaBank<M> bank, Snapshots snapshots) {
    schedules = builder.schedules;
    interval = builder.interval;
    folder = builder.folder;
    this.bank = bank;
    averages = bank.averages().values().asList();
    this.snapshots = snapshots;
  }

  /** Starts with the defaults; {@link Builder#snapshotEvery} has none. */
  public static <M> Builder<M> builder(ModelAdapter<M, ?> adapter) {
    return new Builder<>(adapter);
  }

  /**
   * Updates the averages with the model after one step.
   *
   * @throws IllegalArgumentException as {@link #update(Object, long)}
   * @throws IllegalStateException as {@link #update(Object, long)}
   */
  public void update(M model) {
    update(model, 1);
  }

  /**
   * Updates the averages with the model after several steps, and takes snapshots if that completes
   * an interval.
   *
   * @param elapsed how much time passed since the update before, in the clock's unit, at least 1
   * @throws IllegalArgumentException as {@link ModelEma#update(Object, long)}
   * @throws IllegalStateException as {@link ModelEma#update(Object, long)}; also if the folder has
   *     snapshots of later times, as of another training
   * @throws UncheckedIOException if snapshots cannot be written; the averages were updated then,
   *     and {@link #snapshot} tries again
   */
  public void update(M model, long elapsed) {
    long before = time();
    checkState(
        snapshots.lastTime() <= before,
        "%s has snapshots up to time %s, but these averages are at %s: resume from a checkpoint, or"
            + " take another folder",
        folder,
        snapshots.lastTime(),
        before);
    bank.update(model, elapsed);
    if (time() / interval > before / interval) {
      snapshot();
    }
  }

  /**
   * Takes a snapshot of each average now, such as at the end of a training. Does nothing if there
   * are snapshots of this time.
   *
   * @throws IllegalArgumentException if there was no update yet
   * @throws IllegalStateException if this is closed
   * @throws UncheckedIOException if they cannot be written
   */
  public void snapshot() {
    for (int i = 0; i < schedules.size(); i++) {
      if (!profiles().contains(Profile.at(time(), schedules.get(i)))) {
        snapshots.add(averages.get(i), schedules.get(i));
      }
    }
  }

  @Override
  public void save(Path file) throws IOException {
    bank.save(file);
  }

  @Override
  public CheckpointContent capture() {
    return bank.capture();
  }

  @Override
  public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
    bank.resumeFrom(checkpoint, choice);
    snapshots.supersedeAfter(time());
  }

  /** Returns how much time has passed, in the clock's unit. */
  public long time() {
    return averages.get(0).progress().time();
  }

  /** Returns what there are snapshots of, in order of time. */
  public List<Profile> profiles() {
    return snapshots.profiles();
  }

  /**
   * Returns the average of a width at the time of the last snapshots, as {@link
   * Snapshots#reconstruct(double)} does.
   *
   * @throws IllegalArgumentException if the width is out of its range, or as {@link
   *     PostHoc#weights}
   * @throws IllegalStateException if there are no snapshots yet, or this is closed
   */
  public StateDict<ArrayTensor> reconstruct(double sigmaRel) {
    return snapshots.reconstruct(sigmaRel);
  }

  /**
   * Returns the average of a profile, as {@link Snapshots#reconstruct(Profile)} does.
   *
   * @throws IllegalArgumentException as {@link PostHoc#weights}
   * @throws IllegalStateException if there are no snapshots yet, or this is closed
   */
  public StateDict<ArrayTensor> reconstruct(Profile target) {
    return snapshots.reconstruct(target);
  }

  /** Frees averages and snapshots. Does nothing when called again. */
  @Override
  public void close() {
    bank.close();
    snapshots.close();
  }

  /**
   * Collects what post-hoc averages are made with.
   *
   * @param <M> the framework's model type
   */
  public static final class Builder<M> {
    private final ModelAdapter<M, ?> adapter;
    private EmaConfig config = EmaConfig.defaults();
    private ImmutableList<PowerFunction> schedules =
        ImmutableList.of(PowerFunction.ofSigmaRel(0.05), PowerFunction.ofSigmaRel(0.10));
    private long interval;
    private int snapshotLimit = Integer.MAX_VALUE;
    private @Nullable Path folder;

    private Builder(ModelAdapter<M, ?> adapter) {
      this.adapter = requireNonNull(adapter, "adapter");
    }

    /** Sets everything but the schedule, which is not taken from the configuration. */
    public Builder<M> config(EmaConfig newConfig) {
      config = requireNonNull(newConfig, "config");
      return this;
    }

    /**
     * Sets the power functions that are tracked; those of {@code sigmaRel} .05 and .10 by default.
     * More cost memory and time and make reconstruction more exact.
     *
     * @throws IllegalArgumentException if there are none, or two are the same
     */
    public Builder<M> schedules(PowerFunction... newSchedules) {
      ImmutableList<PowerFunction> given = ImmutableList.copyOf(newSchedules);
      checkArgument(!given.isEmpty(), "at least one power function must be tracked");
      checkArgument(
          new HashSet<>(given).size() == given.size(),
          "power functions must differ, but were %s",
          given);
      schedules = given;
      return this;
    }

    /**
     * Sets the time between snapshots, in the clock's unit; there is no default.
     *
     * @throws IllegalArgumentException if the interval is not positive
     */
    public Builder<M> snapshotEvery(long newInterval) {
      checkArgument(newInterval >= 1, "interval must be at least 1, but was %s", newInterval);
      interval = newInterval;
      return this;
    }

    /**
     * Sets how many snapshots are kept, counting those of all power functions; the oldest go first.
     * All are kept by default.
     *
     * @throws IllegalArgumentException if the limit is not positive
     */
    public Builder<M> keepLatest(int limit) {
      checkArgument(limit >= 1, "limit must be at least 1, but was %s", limit);
      snapshotLimit = limit;
      return this;
    }

    /**
     * Sets the folder in which snapshots are kept as files, as {@link Snapshots#inFolder(Path, int,
     * EntryPolicy)} does; in host memory by default.
     */
    public Builder<M> folder(Path newFolder) {
      folder = requireNonNull(newFolder, "folder");
      return this;
    }

    /**
     * Starts the averages as copies of a model.
     *
     * @throws IllegalArgumentException as {@link ModelEma.Builder#build}
     * @throws IllegalStateException if no interval was set, or as {@link ModelEma.Builder#build}
     * @throws UnsupportedOperationException as {@link ModelEma.Builder#build}
     * @throws UncheckedIOException if the folder cannot be created or read
     * @throws io.github.ema4j.checkpoint.CheckpointException as {@link Snapshots#inFolder(Path,
     *     EntryPolicy)}
     */
    public PostHocEma<M> build(M model) {
      checkState(interval >= 1, "the time between snapshots must be set with snapshotEvery");
      EmaBank.Builder<M> bank = EmaBank.builder(adapter).config(config);
      schedules.forEach(schedule -> bank.average(schedule.toString(), schedule));
      Snapshots snapshots = snapshots();
      return new PostHocEma<>(this, bank.build(model), snapshots);
    }

    private Snapshots snapshots() {
      if (folder == null) {
        return Snapshots.keepingLatest(snapshotLimit, config.policy());
      }
      try {
        return Snapshots.inFolder(folder, snapshotLimit, config.policy());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
