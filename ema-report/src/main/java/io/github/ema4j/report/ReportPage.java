package io.github.ema4j.report;

import io.github.ema4j.Progress;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** Puts the page together. */
final class ReportPage {
  private final String title;
  private final Map<String, String> contents = new LinkedHashMap<>();
  private final StringBuilder sections = new StringBuilder();
  private String figures = "";
  private String summary = "";

  ReportPage(String title) {
    this.title = title;
  }

  private void section(String id, String heading, String content) {
    contents.put(id, heading);
    sections.append(Html.section(id, heading, content)).append('\n');
  }

  void figures(Progress progress, EmaTime time) {
    Map<String, String> entries = new LinkedHashMap<>();
    entries.put("Updates", Numbers.count(progress.updates()));
    entries.put("Skipped as not finite", Numbers.count(progress.skipped()));
    entries.put("Decay now", Numbers.text(progress.decay()));
    entries.put("Effective window", Numbers.text(Math.rint(progress.effectiveWindow())));
    entries.put("Weight of the start", Numbers.percent(progress.startWeight()));
    entries.put("Time of an update", Numbers.time(time.perUpdate()));
    entries.put("EMA's share of time", Numbers.percent(time.share()));
    figures = Html.list("figures", entries);
  }

  void loss(LossTrack losses) {
    String note =
        losses.skipped() == 0
            ? ""
            : Html.paragraph(
                "%s values were not finite, and are left out."
                    .formatted(Numbers.count(losses.skipped())));
    section("loss", "Loss", note + losses.chart().html("loss"));
  }

  void metric(String name, MetricTrack track) {
    String last = "At the last evaluation: " + name + " " + track.last() + ".";
    summary += " " + last;
    String id = "metric-" + contents.size();
    section(id, "Raw against EMA: " + name, Html.paragraph(last) + track.chart(name).html(id));
  }

  void decays(DecayTrack decays) {
    section(
        "decay",
        "Decay and weight of the past",
        decays.decays().html("decay")
            + decays.startWeights().html("start")
            + decays.past().html("past"));
  }

  void drifts(DriftTrack drifts) {
    section(
        "drift",
        "Drift by layer",
        Html.paragraph(
                "How far the trained weights are from their average, relative to it: |m − e| / |e|.")
            + drifts.chart().html("drift")
            + Html.scroll("Drift of each layer at the end", drifts.table()));
  }

  void time(EmaTime time) {
    Map<String, String> entries = new LinkedHashMap<>();
    entries.put("Training, evaluation included", Numbers.time((double) time.nanos()));
    entries.put("Updates of the average", Numbers.time((double) time.updateNanos()));
    entries.put("Share", Numbers.percent(time.share()));
    entries.put("Each update", Numbers.time(time.perUpdate()));
    section("time", "Time", Html.list("facts", entries));
  }

  /**
   * Adds how everything was set.
   *
   * @param ema the average's configuration; empty if there is no average
   */
  void configuration(Map<String, String> training, String ema) {
    String average =
        ema.isEmpty()
            ? ""
            : Html.element("h3", "", "Average")
                + Html.scroll(
                    "Configuration of the average", Html.element("pre", "", Html.text(ema)));
    section("configuration", "Configuration", Html.list("facts", training) + average);
  }

  void versions(String backend, String framework) {
    section("versions", "Versions", Html.list("facts", Versions.all(backend, framework)));
  }

  String html() {
    String links =
        contents.entrySet().stream()
            .map(
                entry ->
                    "<li><a href='#%s'>%s</a></li>"
                        .formatted(entry.getKey(), Html.text(entry.getValue())))
            .collect(Collectors.joining());
    String written = "Written " + Instant.now().truncatedTo(ChronoUnit.SECONDS) + ".";
    return """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>%s</title>
        <style>
        %s</style>
        </head>
        <body>
        <a class="skip" href="#main">Skip to the report</a>
        <header><h1>%s</h1><p>%s</p></header>
        <nav aria-label="Contents"><ul>%s</ul></nav>
        <main id="main" tabindex="-1">
        %s
        %s</main>
        </body>
        </html>
        """
        .formatted(
            Html.text(title),
            style(),
            Html.text(title),
            Html.text((written + summary).strip()),
            links,
            figures,
            sections);
  }

  private static String style() {
    try {
      return Versions.resource("report.css");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
