package io.github.ema4j.report;

import static com.google.common.base.Preconditions.checkState;
import static java.util.Objects.requireNonNull;

import io.github.ema4j.Average;
import io.github.ema4j.AverageListener;
import io.github.ema4j.Drift;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A report of a training as one HTML page, which needs nothing but a browser.
 *
 * <pre>{@code
 * ModelEma.builder(adapter).listener(EmaReport.to(Path.of("report.html"))).build(model);
 * }</pre>
 *
 * <p>is enough for decays, the weight of the past, drift by layer, the share of time that the
 * average took, configuration and versions. The page is written when the average is closed. Loss
 * and metrics are told by the training:
 *
 * <pre>{@code
 * report.loss(loss); // after each step
 * report.evaluated("accuracy", raw, averaged); // after each epoch
 * }</pre>
 *
 * <p>It keeps a few hundred points of each curve, however long the training, and measures the drift
 * at updates 1, 2, 4, 8 and so on and at the end. Not thread-safe: for the training's thread.
 */
public final class EmaReport implements AverageListener {
  private static final Logger LOG = LoggerFactory.getLogger(EmaReport.class);

  private final Path file;
  private final long begin = System.nanoTime();
  private final LossTrack losses = new LossTrack();
  private final Map<String, MetricTrack> metrics = new LinkedHashMap<>();
  private final DecayTrack decays = new DecayTrack();
  private final DriftTrack drifts = new DriftTrack();
  private final Map<String, String> notes = new LinkedHashMap<>();
  private String title = "Training";
  private @Nullable Average<?> average;
  private @Nullable EmaConfig config;
  private String backend = "";
  private String framework = "";
  private long updateNanos;
  private long updates;

  private EmaReport(Path file) {
    this.file = file;
  }

  /**
   * Returns a report that has nothing to tell yet; its time begins.
   *
   * @param file where the page is written; folders that are missing are made, what is there is
   *     overwritten
   */
  public static EmaReport to(Path file) {
    return new EmaReport(requireNonNull(file, "file"));
  }

  /** Sets the headline. */
  public EmaReport title(String newTitle) {
    title = requireNonNull(newTitle, "title");
    return this;
  }

  /** Adds a line to the configuration of the training, such as its seed. */
  public EmaReport note(String name, Object value) {
    notes.put(requireNonNull(name, "name"), value.toString());
    return this;
  }

  /** Adds the loss of a step; one that is not finite is counted and left out. */
  public void loss(double loss) {
    losses.add(loss);
  }

  /**
   * Adds an evaluation, such as one after each epoch.
   *
   * @param metric what was measured; each has a chart of its own
   * @param raw of the model's own weights
   * @param averaged of the averaged ones
   */
  public void evaluated(String metric, double raw, double averaged) {
    metrics.computeIfAbsent(metric, name -> new MetricTrack()).add(raw, averaged);
  }

  /**
   * Takes note of the average.
   *
   * @throws IllegalStateException if the report is another average's already
   */
  @Override
  public void started(Average<?> started, EmaConfig startedWith) {
    checkState(average == null, "the report is of one average; give the next one its own");
    average = started;
    config = startedWith;
    try (var state = started.state()) {
      backend = state.backend().name();
      framework = Versions.of(state.backend().tensorType());
    }
  }

  @Override
  public void updated(Average<?> updated, long nanos, Supplier<Drift> drift) {
    updateNanos += nanos;
    updates++;
    Progress progress = updated.progress();
    decays.add(progress);
    if (DriftTrack.isDue(progress.updates())) {
      drifts.add(progress.updates(), drift.get());
    }
  }

  /** Writes the page. If that cannot be done, the log says why, and the training's end goes on. */
  @Override
  public void closing(Average<?> closing, Supplier<Drift> drift) {
    try {
      if (updates > 0) {
        drifts.add(closing.progress().updates(), drift.get());
      }
    } catch (RuntimeException e) {
      LOG.warn("The report has no drift at the end, as it cannot be measured: {}", e.getMessage());
    }
    try {
      write();
    } catch (IOException e) {
      LOG.error("The report {} could not be written", file.toAbsolutePath(), e);
    }
  }

  /**
   * Writes the page as it is now.
   *
   * @throws IOException if the file cannot be written
   */
  public void write() throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    if (parent != null) {
      Files.createDirectories(parent);
    }
    Files.writeString(file, page());
  }

  private String page() {
    ReportPage page = new ReportPage(title);
    long nanos = System.nanoTime() - begin;
    Progress progress = average == null ? Progress.START : average.progress();
    EmaTime time = new EmaTime(updates, updateNanos, nanos);
    page.figures(progress, time);
    if (!losses.isEmpty()) {
      page.loss(losses);
    }
    metrics.forEach(page::metric);
    if (!decays.isEmpty()) {
      page.decays(decays);
    }
    if (!drifts.isEmpty()) {
      page.drifts(drifts);
    }
    page.time(time);
    page.configuration(notes, config == null ? "" : config.toString());
    page.versions(backend, framework);
    return page.html();
  }
}
