package io.github.ema4j.examples;

import com.google.common.primitives.ImmutableDoubleArray;
import java.awt.Color;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * A picture for the documents.
 *
 * @param name its file's name, without the ending
 * @param lines what it shows
 * @param chart how it is drawn
 */
record Picture(String name, List<Line> lines, XYChart chart) {

  /** Told apart also by those who see few colours (Okabe and Ito, 2008), but for the yellow. */
  private static final Color[] COLORS = {
    new Color(0x000000),
    new Color(0xE69F00),
    new Color(0x56B4E9),
    new Color(0x009E73),
    new Color(0x0072B2),
    new Color(0xD55E00),
    new Color(0xCC79A7)
  };

  /** A line of a chart. */
  record Line(String name, ImmutableDoubleArray x, ImmutableDoubleArray y) {

    static Line of(String name, DoubleStream x, DoubleStream y) {
      return new Line(name, ImmutableDoubleArray.copyOf(x), ImmutableDoubleArray.copyOf(y));
    }
  }

  /** Returns the chart of some lines. */
  static XYChart chart(String title, String x, String y, List<Line> lines) {
    XYChart chart =
        new XYChartBuilder()
            .width(860)
            .height(400)
            .title(title)
            .xAxisTitle(x)
            .yAxisTitle(y)
            .build();
    XYStyler styler = chart.getStyler();
    styler.setLegendPosition(LegendPosition.OutsideE);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotContentSize(1);
    styler.setDecimalPattern("#,###");
    int color = 0;
    for (Line line : lines) {
      chart
          .addSeries(line.name(), line.x().toArray(), line.y().toArray())
          .setMarker(SeriesMarkers.NONE)
          .setLineColor(COLORS[color])
          .setLineWidth(1.6f);
      color++;
    }
    return chart;
  }

  /** Returns the numbers in the picture, in words. */
  String data() {
    StringBuilder data = new StringBuilder();
    for (Line line : lines) {
      data.append(line.name()).append('\n');
      for (int i = 0; i < line.x().length(); i++) {
        data.append(String.format(Locale.ROOT, "%.6e %.6e\n", line.x().get(i), line.y().get(i)));
      }
    }
    return data.toString();
  }

  @Override
  public String toString() {
    return name;
  }
}
