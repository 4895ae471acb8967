package io.github.ema4j.report;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A chart of lines over common places, as a figure with an inline SVG, a legend, and a table of the
 * numbers. Numbers that are not finite leave gaps.
 */
final class Chart {
  static final int WIDTH = 720;
  static final int HEIGHT = 300;
  private static final int LEFT = 74;
  private static final int RIGHT = 18;
  private static final int TOP = 14;
  private static final int BOTTOM = 48;

  /** Up to so many places have a mark each. */
  private static final int MARKED = 60;

  /** A table has so many rows at most, evenly chosen. */
  private static final int ROWS = 60;

  private record Line(String name, double[] values) {}

  private record Area(double[] low, double[] high) {}

  private final String title;
  private final String xTitle;
  private final String yTitle;
  private final double[] x;
  private final List<Line> lines = new ArrayList<>();
  private @Nullable Area area;
  private boolean logarithmic;
  private DoubleFunction<String> number = Numbers::text;
  private @Nullable DoubleFunction<String> tickLabel;
  private @Nullable Axis yAxis;

  Chart(String title, String xTitle, String yTitle, double[] x) {
    this.title = title;
    this.xTitle = xTitle;
    this.yTitle = yTitle;
    this.x = x;
  }

  /** Adds a line; the first are told apart by colour and dashes. */
  Chart line(String name, double[] values) {
    checkArgument(values.length == x.length, "%s has %s values", name, values.length);
    lines.add(new Line(name, values));
    return this;
  }

  /** Puts what the first line varies between behind it. */
  Chart area(double[] low, double[] high) {
    area = new Area(low, high);
    return this;
  }

  /** Makes the places logarithmic. */
  Chart logarithmic() {
    logarithmic = true;
    return this;
  }

  /** Makes the vertical axis span some numbers, told in words of one's own. */
  Chart from(double min, double max, DoubleFunction<String> words) {
    yAxis = new Axis(min, max, false);
    number = words;
    tickLabel = words;
    return this;
  }

  /** Returns the figure. */
  String html(String id) {
    Axis across = logarithmic ? Axis.logarithmicTo(last(x)) : Axis.exactly(x[0], last(x));
    Axis up = yAxis != null ? yAxis : upAxis();
    return Html.element(
        "figure",
        "aria-labelledby='%s-h'".formatted(id),
        Html.element("figcaption", "id='%s-h'".formatted(id), Html.text(title))
            + legend()
            + svg(id, across, up)
            + Html.details("Numbers", title, table()));
  }

  private Axis upAxis() {
    DoubleStream all = lines.stream().flatMapToDouble(line -> Arrays.stream(line.values()));
    if (area != null) {
      all =
          DoubleStream.concat(
              all, DoubleStream.concat(Arrays.stream(area.low()), Arrays.stream(area.high())));
    }
    var summary = all.filter(Double::isFinite).summaryStatistics();
    return Axis.of(summary.getMin(), summary.getMax());
  }

  private static double last(double[] values) {
    return values[values.length - 1];
  }

  private String legend() {
    String entries =
        IntStream.range(0, lines.size())
            .mapToObj(
                i ->
                    "<li><svg viewBox='0 0 28 8' aria-hidden='true' focusable='false'>"
                        + "<path class='line l%d' d='M0 4H28'/></svg>%s</li>"
                            .formatted(i + 1, Html.text(lines.get(i).name())))
            .collect(Collectors.joining());
    return Html.element("ul", "class='legend'", entries);
  }

  private String svg(String id, Axis across, Axis up) {
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg class='chart' viewBox='0 0 %d %d' role='img' aria-labelledby='%s-h %s-d'>"
            .formatted(WIDTH, HEIGHT, id, id));
    svg.append(Html.element("desc", "id='%s-d'".formatted(id), Html.text(description())));
    axes(svg, across, up);
    if (area != null) {
      svg.append("<path class='area' d='%s'/>".formatted(areaPath(area, across, up)));
    }
    for (int i = 0; i < lines.size(); i++) {
      line(svg, i, across, up);
    }
    return svg.append("</svg>").toString();
  }

  /** Says what someone sees who looks at the chart. */
  private String description() {
    String each =
        lines.stream().map(this::description).collect(Collectors.joining(" "));
    return "Horizontally: %s, from %s to %s. Vertically: %s. %s"
        .formatted(xTitle, Numbers.text(x[0]), Numbers.text(last(x)), yTitle, each);
  }

  private String description(Line line) {
    double[] finite = Arrays.stream(line.values()).filter(Double::isFinite).toArray();
    if (finite.length == 0) {
      return "%s: no values.".formatted(line.name());
    }
    var summary = Arrays.stream(finite).summaryStatistics();
    return "%s: from %s to %s, lowest %s, highest %s."
        .formatted(
            line.name(),
            number.apply(finite[0]),
            number.apply(last(finite)),
            number.apply(summary.getMin()),
            number.apply(summary.getMax()));
  }

  private void axes(StringBuilder svg, Axis across, Axis up) {
    svg.append("<g aria-hidden='true'>");
    for (Axis.Tick tick : up.ticks()) {
      String y = y(up, tick.at());
      String label = tickLabel == null ? tick.label() : tickLabel.apply(tick.at());
      svg.append("<path class='grid' d='M%d %sH%d'/>".formatted(LEFT, y, WIDTH - RIGHT));
      svg.append(
          "<text class='tick end' x='%d' y='%s' dy='.32em'>%s</text>"
              .formatted(LEFT - 8, y, Html.text(label)));
    }
    for (Axis.Tick tick : across.ticks()) {
      String at = x(across, tick.at());
      boolean first = across.place(tick.at()) < 0.05;
      boolean last = across.place(tick.at()) > 0.95;
      svg.append(
          "<path class='grid' d='M%s %dV%d'/>".formatted(at, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5));
      svg.append(
          "<text class='tick %s' x='%s' y='%d'>%s</text>"
              .formatted(
                  first ? "start" : last ? "end" : "middle",
                  at,
                  HEIGHT - BOTTOM + 19,
                  Html.text(tick.label())));
    }
    svg.append(
        "<path class='axis' d='M%d %dV%dH%d'/>"
            .formatted(LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT));
    svg.append(
        "<text class='name middle' x='%d' y='%d'>%s</text>"
            .formatted((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, Html.text(xTitle)));
    svg.append(
        "<text class='name middle' transform='translate(14 %d) rotate(-90)'>%s</text>"
            .formatted((TOP + HEIGHT - BOTTOM) / 2, Html.text(yTitle)));
    svg.append("</g>");
  }

  private void line(StringBuilder svg, int index, Axis across, Axis up) {
    Line line = lines.get(index);
    svg.append(
        "<path class='line l%d' d='%s'/>".formatted(index + 1, path(line.values(), across, up)));
    for (int i = 0; i < x.length && x.length <= MARKED; i++) {
      double value = line.values()[i];
      if (Double.isFinite(value)) {
        svg.append(
            "<circle class='mark l%d' cx='%s' cy='%s' r='3'>%s</circle>"
                .formatted(
                    index + 1,
                    x(across, x[i]),
                    y(up, value),
                    Html.element(
                        "title",
                        "",
                        Html.text(
                            "%s, %s %s: %s"
                                .formatted(
                                    line.name(),
                                    xTitle,
                                    Numbers.text(x[i]),
                                    number.apply(value))))));
      }
    }
  }

  private String path(double[] values, Axis across, Axis up) {
    StringBuilder path = new StringBuilder();
    boolean pen = false;
    for (int i = 0; i < x.length; i++) {
      if (Double.isFinite(values[i])) {
        path.append(pen ? 'L' : 'M').append(x(across, x[i])).append(' ').append(y(up, values[i]));
      }
      pen = Double.isFinite(values[i]);
    }
    return path.toString();
  }

  private String areaPath(Area edges, Axis across, Axis up) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < 2 * x.length; i++) {
      boolean there = i < x.length;
      int at = there ? i : 2 * x.length - 1 - i;
      double value = there ? edges.low()[at] : edges.high()[at];
      if (Double.isFinite(value)) {
        path.append(path.isEmpty() ? 'M' : 'L');
        path.append(x(across, x[at])).append(' ').append(y(up, value));
      }
    }
    return path.append('Z').toString();
  }

  private static String x(Axis across, double value) {
    return pixel(LEFT + across.place(value) * (WIDTH - LEFT - RIGHT));
  }

  /** Returns the place of a number, at the edge if it is beyond. */
  private static String y(Axis up, double value) {
    double place = Math.max(0, Math.min(1, up.place(value)));
    return pixel(HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM));
  }

  private static String pixel(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private String table() {
    List<String> head = new ArrayList<>(List.of(xTitle));
    lines.forEach(line -> head.add(line.name()));
    int rows = Math.min(ROWS, x.length);
    List<List<String>> body = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      int i = rows == 1 ? 0 : (int) ((long) row * (x.length - 1) / (rows - 1));
      List<String> cells = new ArrayList<>(List.of(Numbers.text(x[i])));
      lines.forEach(line -> cells.add(number.apply(line.values()[i])));
      body.add(cells);
    }
    return Html.table(title, head, body);
  }
}
