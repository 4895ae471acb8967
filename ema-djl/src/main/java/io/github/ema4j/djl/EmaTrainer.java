package io.github.ema4j.djl;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.Pair;
import io.github.ema4j.ModelEma;
import java.util.Arrays;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * DJL's trainer with an average of the weights that follows every optimiser step.
 *
 * <p>For {@code EasyTrain.fit} as for loops of one's own:
 *
 * <pre>{@code
 * ModelEma.Builder<Block> average =
 *     ModelEma.builder(DjlAdapter.instance()).strategy(EmaStrategy.nameMatched(0.999));
 * try (EmaTrainer trainer = new EmaTrainer(model, config, average)) {
 *   trainer.initialize(new Shape(1, 64));
 *   EasyTrain.fit(trainer, 10, training, null);
 *   try (Swap swap = trainer.ema().swapInto(model.getBlock())) {
 *     EasyTrain.evaluateDataset(trainer, validation);
 *   }
 * }
 * }</pre>
 *
 * <p>{@link EmaValidationListener} evaluates the average after each epoch by itself.
 *
 * <p>The trainer owns the average: it lives until the trainer is closed. Weights that are loaded
 * into the model after {@link #initialize} are made the average's starting point with {@code
 * ema().set(block)}. The clock is {@link io.github.ema4j.Clock#STEPS}. Not thread-safe: one thread
 * at a time.
 */
public class EmaTrainer extends Trainer {
  private final ModelEma.Builder<Block> builder;
  private @Nullable ModelEma<Block> average;

  /**
   * Makes a trainer whose average starts when it is initialised; otherwise like the one that {@code
   * model.newTrainer(config)} makes.
   *
   * @param model the model to train; stays the caller's
   * @param config how to train it, on one device, which is the model's
   * @param average what the average is made with
   * @throws IllegalArgumentException if the configuration names several devices, or another than
   *     the model's
   */
  public EmaTrainer(Model model, TrainingConfig config, ModelEma.Builder<Block> average) {
    super(model, prepared(model, config, average));
    builder = average;
  }

  /** Checks that the parameters' own arrays will be trained, and prepares the model's block. */
  private static TrainingConfig prepared(
      Model model, TrainingConfig config, ModelEma.Builder<Block> average) {
    requireNonNull(average, "average");
    Device[] devices = config.getDevices();
    Device home = model.getNDManager().getDevice();
    checkArgument(
        devices.length == 1 && devices[0].equals(home),
        "an average follows one device, the model's %s, but the training devices are %s; set"
            + " optDevices(new Device[] {model.getNDManager().getDevice()})",
        home,
        Arrays.toString(devices));
    prepareBlock(model, config);
    return config;
  }

  /**
   * Does to the block what {@link Model#newTrainer} does before it makes a trainer: sets the
   * initializers of the configuration, and unfreezes the parameters of a block that was loaded. The
   * trainer that comes of it is closed, and told no listener.
   */
  private static void prepareBlock(Model model, TrainingConfig config) {
    DefaultTrainingConfig silent =
        new DefaultTrainingConfig(config.getLossFunction())
            .optDevices(config.getDevices())
            .optOptimizer(config.getOptimizer());
    for (Pair<Initializer, Predicate<Parameter>> pair : config.getInitializers()) {
      silent.optInitializer(pair.getKey(), pair.getValue());
    }
    model.newTrainer(silent).close();
  }

  /**
   * Initialises the model, and starts the average from its weights. Initialising again keeps the
   * average.
   *
   * @param shapes the shapes of the inputs
   */
  @Override
  public void initialize(Shape... shapes) {
    super.initialize(shapes);
    if (average == null) {
      average = builder.build(getModel().getBlock());
    }
  }

  /**
   * Updates the parameters once, and then the average. How long that took, in nanoseconds, is added
   * to the trainer's metrics as {@code ema}, where it has some.
   *
   * @throws IllegalStateException if the trainer is not initialised, or the average is swapped into
   *     a model; nothing has changed then
   */
  @Override
  public void step() {
    ModelEma<Block> ema = ema();
    checkState(
        !ema.swapped(), "cannot train while the average is swapped into a model; close the swap");
    super.step();
    long begin = System.nanoTime();
    ema.update(getModel().getBlock());
    addMetric("ema", begin);
  }

  /**
   * Returns the average.
   *
   * @throws IllegalStateException if the trainer is not initialised
   */
  public ModelEma<Block> ema() {
    checkState(
        average != null, "there is no average before the weights; call initialize(...) first");
    return average;
  }

  /**
   * Closes the average and the trainer; the model stays open.
   *
   * @throws IllegalStateException if the average is swapped into a model: the trainer is closed
   *     then, the average is not. Close the swap, and {@link #ema} after it
   */
  @Override
  public void close() {
    try {
      if (average != null) {
        average.close();
      }
    } finally {
      super.close();
    }
  }

  /**
   * Closes what DJL's trainer owns when it is garbage, as DJL does, but never the average: another
   * thread may be using it.
   */
  @Override
  @SuppressWarnings({"deprecation", "removal", "Finalize", "Finalizer"})
  protected void finalize() {
    if (getManager().isOpen()) {
      super.close();
    }
  }
}
