package io.github.ema4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.testkit.Rule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Keeps the list of rules in {@code docs/conformance.md} and the kits the same. */
class RulesListTest {
  private static final Path LIST = Path.of("../docs/conformance.md");
  private static final Pattern ROW = Pattern.compile("(?m)^\\| EMA-.*$");

  @Test
  void theDocumentListsTheRulesOfTheKits() throws Exception {
    List<String> listed =
        ROW.matcher(Files.readString(LIST)).results().map(match -> match.group()).toList();

    assertThat(listed).isEqualTo(Rule.all().stream().map(RulesListTest::row).toList());
  }

  @Test
  void idsAreUnique() {
    assertThat(Rule.all().stream().map(Rule::id)).doesNotHaveDuplicates().hasSizeGreaterThan(80);
  }

  private static String row(Rule rule) {
    Optional<String> needs = rule.needs().map(capability -> "with `" + capability + "`");
    Optional<String> lacks = rule.lacks().map(capability -> "without `" + capability + "`");
    return String.format(
        "| %s | %s | %s%s |",
        rule.id(),
        rule.sentence(),
        needs.or(() -> lacks).orElse("every backend"),
        rule.full() ? ", `-Pfull`" : "");
  }
}
