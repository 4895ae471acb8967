package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableListMultimap;
import io.github.ema4j.ElementType;
import io.github.ema4j.benchmarks.Report.Turns;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.CategoryStyler;
import org.knowm.xchart.style.Styler.LegendPosition;

/** Draws the times of contenders that took turns, a bar for each number of threads. */
final class Charts {
  /** Told apart also by those who see few colours (Okabe and Ito, 2008). */
  private static final Color[] COLORS = {new Color(0x0072B2), new Color(0xE69F00)};

  private Charts() {}

  /** Draws updates of each shape in float32, once for each framework: on the first JDK. */
  static void write(Path folder, ImmutableListMultimap<Turns, Measurement> byTurns)
      throws IOException {
    Set<String> drawn = new HashSet<>();
    for (ModelShape shape : ModelShape.all()) {
      String group = Names.updates(shape, ElementType.F32);
      for (Turns turns : byTurns.keySet()) {
        String name = fileName(shape, turns);
        if (turns.group().equals(group) && drawn.add(name)) {
          BitmapEncoder.saveBitmap(
              chart(turns, byTurns.get(turns)), folder.resolve(name).toString(), BitmapFormat.PNG);
        }
      }
    }
  }

  private static String fileName(ModelShape shape, Turns turns) {
    return (turns.process().replaceFirst(" .*", "") + " " + shape.label())
        .toLowerCase(Locale.ROOT)
        .replaceAll("[^a-z0-9]+", "-");
  }

  private static CategoryChart chart(Turns turns, List<Measurement> measurements) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(900)
            .height(500)
            .title(turns.group() + ": " + turns.process())
            .yAxisTitle("ms an update")
            .build();
    CategoryStyler styler = chart.getStyler();
    styler.setSeriesColors(COLORS);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setLegendPosition(LegendPosition.InsideNE);
    styler.setXAxisLabelRotation(30);
    styler.setAvailableSpaceFill(0.8);
    List<String> names = measurements.stream().map(Measurement::contender).distinct().toList();
    measurements.stream()
        .mapToInt(Measurement::threads)
        .distinct()
        .sorted()
        .forEach(threads -> addSeries(chart, names, measurements, threads));
    return chart;
  }

  private static void addSeries(
      CategoryChart chart, List<String> names, List<Measurement> measurements, int threads) {
    List<Optional<Spread>> spreads =
        names.stream()
            .map(name -> Measurement.find(measurements, name, threads).map(Measurement::spread))
            .toList();
    chart.addSeries(
        threads == 1 ? "1 thread" : threads + " threads",
        names,
        spreads.stream().map(each -> each.map(Spread::median).orElse(0.0)).toList(),
        spreads.stream()
            .map(each -> each.map(spread -> (spread.upper() - spread.lower()) / 2).orElse(0.0))
            .toList());
  }
}
