package io.github.ema4j.report;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.ImmutableDoubleArray;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
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

  private record Line(String name, ImmutableDoubleArray values) {
    static Line of(String name, double[] values) {
      return new Line(name, ImmutableDoubleArray.copyOf(values));
    }

    DoubleStream finite() {
      return values.stream().filter(Double::isFinite);
    }
  }

  private final String title;
  private final String xTitle;
  private final String yTitle;
  private final double[] x;
  private final List<Line> lines = new ArrayList<>();
  private final List<Line> edges = new ArrayList<>();
  private boolean logarithmic;
  private DoubleFunction<String> number = Numbers::text;
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
    lines.add(Line.of(name, values));
    return this;
  }

  /** Puts what the first line varies between behind it. */
  Chart area(double[] low, double[] high) {
    edges.add(Line.of("low", low));
    edges.add(Line.of("high", high));
    return this;
  }

  /** Makes the places logarithmic. */
  Chart logarithmic() {
    logarithmic = true;
    return this;
  }

  /** Gives the chart a vertical axis of its own. */
  Chart up(Axis axis) {
    yAxis = axis;
    return this;
  }

  /** Gives the numbers words of their own. */
  Chart inWords(DoubleFunction<String> words) {
    number = words;
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
    var summary =
        Stream.concat(lines.stream(), edges.stream())
            .flatMapToDouble(Line::finite)
            .summaryStatistics();
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
                            .formatted(style(i), Html.text(lines.get(i).name())))
            .collect(Collectors.joining());
    return Html.element("ul", "class='legend'", entries);
  }

  /** Returns the style of a line: the first is faint beside others. */
  private int style(int index) {
    return lines.size() == 1 ? 2 : index + 1;
  }

  private String svg(String id, Axis across, Axis up) {
    StringBuilder svg = new StringBuilder();
    svg.append(
        "<svg class='chart' viewBox='0 0 %d %d' role='img' aria-labelledby='%s-h %s-d'>"
            .formatted(WIDTH, HEIGHT, id, id));
    svg.append(Html.element("desc", "id='%s-d'".formatted(id), Html.text(description())));
    axes(svg, across, up);
    if (!edges.isEmpty()) {
      svg.append("<path class='area' d='%s'/>".formatted(areaPath(across, up)));
    }
    for (int i = 0; i < lines.size(); i++) {
      line(svg, i, across, up);
    }
    return svg.append("</svg>").toString();
  }

  /** Says what someone sees who looks at the chart. */
  private String description() {
    String each = lines.stream().map(this::description).collect(Collectors.joining(" "));
    return "Horizontally: %s, from %s to %s. Vertically: %s. %s"
        .formatted(xTitle, Numbers.text(x[0]), Numbers.text(last(x)), yTitle, each);
  }

  private String description(Line line) {
    double[] finite = line.finite().toArray();
    if (finite.length == 0) {
      return "%s: no values.".formatted(line.name());
    }
    var summary = line.finite().summaryStatistics();
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
    up.ticks().forEach(tick -> upTick(svg, up, tick));
    across.ticks().forEach(tick -> acrossTick(svg, across, tick));
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

  private static void upTick(StringBuilder svg, Axis up, Axis.Tick tick) {
    String y = y(up, tick.at());
    svg.append("<path class='grid' d='M%d %sH%d'/>".formatted(LEFT, y, WIDTH - RIGHT));
    svg.append(
        "<text class='tick end' x='%d' y='%s' dy='.32em'>%s</text>"
            .formatted(LEFT - 8, y, Html.text(tick.label())));
  }

  private static void acrossTick(StringBuilder svg, Axis across, Axis.Tick tick) {
    String at = x(across, tick.at());
    int bottom = HEIGHT - BOTTOM;
    double place = across.place(tick.at());
    String anchor = place < 0.05 ? "start" : place > 0.95 ? "end" : "middle"; // none is cut off
    svg.append("<path class='grid' d='M%s %dV%d'/>".formatted(at, bottom, bottom + 5));
    svg.append(
        "<text class='tick %s' x='%s' y='%d'>%s</text>"
            .formatted(anchor, at, bottom + 19, Html.text(tick.label())));
  }

  private void line(StringBuilder svg, int index, Axis across, Axis up) {
    Line line = lines.get(index);
    svg.append(
        "<path class='line l%d' d='%s'/>".formatted(style(index), path(line.values(), across, up)));
    for (int i = 0; i < x.length && x.length <= MARKED; i++) {
      double value = line.values().get(i);
      if (Double.isFinite(value)) {
        svg.append(
            "<circle class='mark l%d' cx='%s' cy='%s' r='3'>%s</circle>"
                .formatted(
                    style(index),
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

  private String path(ImmutableDoubleArray values, Axis across, Axis up) {
    StringBuilder path = new StringBuilder();
    boolean pen = false;
    for (int i = 0; i < x.length; i++) {
      if (Double.isFinite(values.get(i))) {
        path.append(pen ? 'L' : 'M')
            .append(x(across, x[i]))
            .append(' ')
            .append(y(up, values.get(i)));
      }
      pen = Double.isFinite(values.get(i));
    }
    return path.toString();
  }

  private String areaPath(Axis across, Axis up) {
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < 2 * x.length; i++) {
      boolean there = i < x.length;
      int at = there ? i : 2 * x.length - 1 - i;
      double value = edges.get(there ? 0 : 1).values().get(at);
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
      lines.forEach(line -> cells.add(number.apply(line.values().get(i))));
      body.add(cells);
    }
    return Html.table(title, head, body);
  }
}
