package io.github.ema4j.examples.digits;

import io.github.ema4j.Advice;
import io.github.ema4j.AverageListener;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import java.util.SplittableRandom;

/** Short trainings that find out which decay serves best. */
final class DigitsTrial {
  /** So many times as many epochs has the training that follows. */
  private static final int SHORTER = 3;

  private DigitsTrial() {}

  /**
   * Trains for a third of the epochs on four fifths of the training images, their labels as noisy
   * as in the training that follows, and evaluates on the others after each epoch.
   */
  static Advice advise(DemoConfig config, DigitsData clean) {
    Images all = clean.training();
    int trained = (int) (all.size() * 4L / 5);
    if (trained == 0) {
      throw new InputException("1 training image cannot be split for advice: at least 2");
    }
    DigitsData split =
        new DigitsData(all.range(0, trained), all.range(trained, all.size()), clean.classes());
    int epochs = (config.epochs() + SHORTER - 1) / SHORTER;
    return run(config, split, epochs);
  }

  /** Trains with label noise, and evaluates the averages on the test images after each epoch. */
  static Advice run(DemoConfig config, DigitsData clean, int epochs, double... decays) {
    SplittableRandom random = new SplittableRandom(config.seed());
    DigitsData data = clean.withLabelNoise(config.labelNoise(), random);
    try (DemoSession session =
            DemoBackends.named(config.backend())
                .start(config, data.training().side(), data.classes(), new AverageListener() {});
        DemoTrial<?> trial = session.trial(decays)) {
      for (int epoch = 0; epoch < epochs; epoch++) {
        for (Images batch : data.training().shuffled(random).batches(config.batchSize())) {
          session.train(batch);
          trial.update();
        }
        trial.evaluate(data.test());
      }
      return trial.advice();
    } catch (IllegalStateException e) {
      throw new InputException(
          "the trial for advice: %s; if training diverged, try a demo.learningRate below %s"
              .formatted(e.getMessage(), config.learningRate()),
          e);
    }
  }

  /** Returns the decay to use in a whole training, by what was found out in a shorter one. */
  static double decay(DemoConfig config, DigitsData data, Advice advice) {
    int batch = config.batchSize();
    long updates = (long) config.epochs() * data.training().batches(batch).size();
    return advice.decayForRun((double) updates / advice.updates());
  }

  /** Returns the strategy of a configuration with another decay. */
  static EmaStrategy strategy(DemoConfig config, double decay) {
    return config.ema().strategy().scheduled(DecaySchedule.constant(decay).zeroDebiased());
  }
}
