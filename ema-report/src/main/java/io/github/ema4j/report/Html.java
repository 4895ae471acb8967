package io.github.ema4j.report;

import com.google.common.html.HtmlEscapers;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Pieces of an HTML page. Whatever is text goes through {@link #text}. */
final class Html {

  private Html() {}

  /** Returns text in which nothing is markup. */
  static String text(String plain) {
    return HtmlEscapers.htmlEscaper().escape(plain);
  }

  static String element(String name, String attributes, String content) {
    String space = attributes.isEmpty() ? "" : " ";
    return "<" + name + space + attributes + ">" + content + "</" + name + ">";
  }

  static String section(String id, String title, String content) {
    return element(
        "section",
        "id='%s' aria-labelledby='%s-t'".formatted(id, id),
        element("h2", "id='%s-t'".formatted(id), text(title)) + content);
  }

  static String paragraph(String plain) {
    return element("p", "", text(plain));
  }

  /** Returns something that is shown when it is asked for, and scrolls by itself. */
  static String details(String summary, String of, String content) {
    return element(
        "details",
        "",
        element("summary", "", text(summary) + element("span", "class='of'", text(": " + of)))
            + scroll(of, content));
  }

  /** Returns something wide in a box that scrolls, also by keyboard. */
  static String scroll(String name, String content) {
    return element(
        "div",
        "class='scroll' role='region' tabindex='0' aria-label='%s'".formatted(text(name)),
        content);
  }

  /** Returns a table whose first column names the rows. */
  static String table(String caption, List<String> head, List<List<String>> body) {
    String heads =
        head.stream()
            .map(cell -> element("th", "scope='col'", text(cell)))
            .collect(Collectors.joining());
    return element(
        "table",
        "",
        element("caption", "", text(caption))
            + element("thead", "", element("tr", "", heads))
            + element("tbody", "", body.stream().map(Html::row).collect(Collectors.joining("\n"))));
  }

  private static String row(List<String> cells) {
    String rest =
        cells.stream()
            .skip(1)
            .map(cell -> element("td", "", text(cell)))
            .collect(Collectors.joining());
    return element("tr", "", element("th", "scope='row'", text(cells.get(0))) + rest);
  }

  /** Returns names and what they stand for. */
  static String list(String style, Map<String, String> entries) {
    return element(
        "dl",
        "class='%s'".formatted(style),
        entries.entrySet().stream()
            .map(
                entry ->
                    element(
                        "div",
                        "",
                        element("dt", "", text(entry.getKey()))
                            + element("dd", "", text(entry.getValue()))))
            .collect(Collectors.joining()));
  }
}
