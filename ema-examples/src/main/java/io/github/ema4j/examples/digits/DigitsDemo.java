package io.github.ema4j.examples.digits;

import io.github.ema4j.Advice;
import io.github.ema4j.AverageListener;
import io.github.ema4j.report.EmaReport;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Trains a small convolutional network on digits with noisy labels, and shows the accuracy of its
 * raw and of its averaged weights after each epoch.
 *
 * <p>The configuration is {@code demo.conf}; system properties of the same names win over it.
 */
public final class DigitsDemo {
  private final DemoConfig config;
  private final DigitsData data;
  private final ProgressDisplay display;
  private final @Nullable EmaReport report;

  /**
   * Draws the label noise, then the order of the data, the same for every backend. (The draws of
   * {@code java.util.Random} are alike for seeds as near as 1 and 2.)
   */
  private final SplittableRandom random;

  private DigitsDemo(DemoConfig config, DigitsData clean, ProgressDisplay display) {
    this.config = config;
    this.display = display;
    random = new SplittableRandom(config.seed());
    data = clean.withLabelNoise(config.labelNoise(), random);
    report = config.report().map(this::report).orElse(null);
  }

  /**
   * Runs the demo. If what it was given is wrong, prints one error and exits with status 1.
   *
   * @param args none
   */
  public static void main(String[] args) {
    int status;
    try (ProgressDisplay display = ProgressDisplay.ofProcess()) {
      status = run(System.getProperties(), Path.of(""), display);
    }
    if (status != 0) {
      System.exit(status);
    }
  }

  /** Runs the demo and returns its exit status. */
  static int run(Properties systemProperties, Path workingDirectory, ProgressDisplay display) {
    try {
      DemoConfig config = DemoConfig.read(systemProperties, workingDirectory);
      DigitsData data = DigitsData.read(config.data());
      DemoConfig advised = config.advise() ? advised(config, data, display) : config;
      new DigitsDemo(advised, data, display).train();
      return 0;
    } catch (InputException e) {
      display.error(e.getMessage());
      return 1;
    }
  }

  /** Has the decay found out, and tells how. */
  private static DemoConfig advised(DemoConfig config, DigitsData data, ProgressDisplay display) {
    Advice advice = DigitsTrial.advise(config, data);
    advice.text().lines().forEach(display::line);
    double decay = DigitsTrial.decay(config, data, advice);
    display.line(String.format(Locale.ROOT, "training with decay %.6f", decay));
    return config.withEma(config.ema().withStrategy(DigitsTrial.strategy(config, decay)));
  }

  private void train() {
    Accuracies accuracies = new Accuracies();
    AverageListener listener = report == null ? new AverageListener() {} : report;
    try (DemoSession session =
        DemoBackends.named(config.backend())
            .start(config, data.training().side(), data.classes(), listener)) {
      display.line(description());
      long batches = data.training().batches(config.batchSize()).size();
      display.begin("training", config.epochs() * batches);
      for (int epoch = 1; epoch <= config.epochs(); epoch++) {
        double loss = trainEpoch(session, epoch);
        double raw = session.accuracy(data.test());
        double averaged = session.averagedAccuracy(data.test());
        accuracies.add(raw, averaged);
        if (report != null) {
          report.evaluated("accuracy", raw, averaged);
        }
        display.line(epochLine(epoch, loss, raw, averaged));
      }
    }
    display.end();
    config.report().ifPresent(file -> display.line("report: " + file));
    display.line(accuracies.summary());
  }

  private double trainEpoch(DemoSession session, int epoch) {
    List<Images> batches = data.training().shuffled(random).batches(config.batchSize());
    double sum = 0;
    for (Images batch : batches) {
      try {
        double loss = session.train(batch);
        if (report != null) {
          report.loss(loss);
        }
        sum += loss * batch.size();
      } catch (IllegalStateException e) {
        throw new InputException(
            "epoch %d: %s; if training diverged, try a demo.learningRate below %s"
                .formatted(epoch, e.getMessage(), config.learningRate()),
            e);
      }
      display.step();
    }
    double loss = sum / data.training().size();
    if (!Double.isFinite(loss)) {
      throw new InputException(
          "the loss of epoch %d is %s: training diverged; try a demo.learningRate below %s"
              .formatted(epoch, loss, config.learningRate()));
    }
    return loss;
  }

  private EmaReport report(Path file) {
    return EmaReport.to(file)
        .title("Digits with noisy labels")
        .note("Data", description())
        .note("Epochs", config.epochs())
        .note("Label noise", config.labelNoise())
        .note("Learning rate", config.learningRate())
        .note("Batch size", config.batchSize());
  }

  private String description() {
    int side = data.training().side();
    return String.format(
        Locale.ROOT,
        "%d training and %d test images of %dx%d pixels, %d classes; backend %s, seed %d",
        data.training().size(),
        data.test().size(),
        side,
        side,
        data.classes(),
        config.backend(),
        config.seed());
  }

  private String epochLine(int epoch, double loss, double raw, double averaged) {
    int digits = String.valueOf(config.epochs()).length();
    return String.format(
        Locale.ROOT,
        "epoch %" + digits + "d/%d: loss %.4f, accuracy raw %.4f, EMA %.4f",
        epoch,
        config.epochs(),
        loss,
        raw,
        averaged);
  }
}
