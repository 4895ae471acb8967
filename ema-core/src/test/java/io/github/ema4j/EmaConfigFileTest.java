package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.base.Splitter;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EmaConfigFileTest {

  @TempDir Path directory;

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "ema.conf | ema.average { rule = weighted-sum, schedule.decay = 0.5 }",
        "ema.json | {\"ema\": {\"average\": {\"rule\": \"weighted-sum\", \"schedule\": {\"decay\":"
            + " 0.5}}}}",
        "ema.properties | ema.average.rule=weighted-sum#ema.average.schedule.decay=0.5",
      })
  void filesOfEachFormAreRead(String name, String text) throws IOException {
    assertThat(EmaConfig.load(write(name, text.replace('#', '\n'))))
        .isEqualTo(
            EmaConfig.defaults()
                .withRule(AveragingRule.WEIGHTED_SUM)
                .withStrategy(EmaStrategy.nameMatched(0.5)));
  }

  @Test
  void withoutAFileTheClassPathIsRead() {
    assertThat(EmaConfig.load()).isEqualTo(EmaConfig.defaults());
    withProperty(
        "ema.average.strategy",
        "ordered",
        () -> assertThat(EmaConfig.load().strategy()).isEqualTo(EmaStrategy.ordered(0.9999)));
    assertThat(EmaConfig.load()).isEqualTo(EmaConfig.defaults());
  }

  @Test
  void systemPropertiesStandAboveTheFile() throws IOException {
    Path file = write("ema.conf", "ema.average { schedule.decay = 0.5, rule = weighted-sum }");
    withProperty(
        "ema.average.schedule.decay",
        "0.25",
        () ->
            assertThat(EmaConfig.load(file))
                .isEqualTo(
                    EmaConfig.defaults()
                        .withRule(AveragingRule.WEIGHTED_SUM)
                        .withStrategy(EmaStrategy.nameMatched(0.25))));
    assertThat(EmaConfig.load(file).strategy()).isEqualTo(EmaStrategy.nameMatched(0.5));
  }

  @Test
  void aMalformedSystemPropertyIsToldAsSuch() throws IOException {
    Path file = write("ema.conf", "");
    withProperty(
        "ema.average.schedule.decay",
        "2",
        () ->
            assertThatIllegalArgumentException()
                .isThrownBy(() -> EmaConfig.load(file))
                .withMessageContaining("system properties: ema.average.schedule.decay"));
  }

  @Test
  void everyProblemIsToldWithFileAndLine() throws IOException {
    Path file =
        write(
            "bad.conf",
            """
            # A comment
            ema.average {
              rule = mean
              schedule {
                decay = 1.5
                tau = 2000
              }
              polcy.counter = skip
            }
            """);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.load(file))
        .satisfies(
            refused ->
                assertThat(refused.getMessage().lines())
                    .hasSize(5)
                    .anyMatch(line -> line.contains("bad.conf: 3: ema.average.rule: must be"))
                    .anyMatch(line -> line.contains("bad.conf: 5: ema.average.schedule.decay: the"))
                    .anyMatch(
                        line -> line.contains("bad.conf: 6: unknown key ema.average.schedule"))
                    .anyMatch(
                        line -> line.contains("bad.conf: 8: unknown key ema.average.polcy.counter"))
                    .first()
                    .isEqualTo("the configuration has problems:"));
  }

  @Test
  void aMissingFileIsRefusedWithItsName() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.load(directory.resolve("absent.conf")))
        .withMessageStartingWith("cannot read the configuration: ")
        .withMessageContaining("absent.conf");
  }

  @Test
  void aFileThatIsNoHoconIsRefusedWithItsLine() throws IOException {
    Path file = write("broken.conf", "ema.average {\n  rule = lerp\n  }}\n");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.load(file))
        .withMessageStartingWith("cannot read the configuration: ")
        .withMessageContaining("broken.conf: 3");
  }

  @Test
  void theReferenceListsExactlyTheKeysThatAreRead() {
    Config reference = ConfigFactory.parseResources("reference.conf");
    List<String> listed = new ArrayList<>();
    collect(reference.getObject("ema.average"), "", listed);
    assertThat(listed).containsExactlyInAnyOrderElementsOf(known());
    assertThat(EmaConfig.from(reference)).isEqualTo(EmaConfig.defaults());
  }

  /** Returns what the reader says it knows with any type of schedule. */
  private static Set<String> known() {
    Splitter list = Splitter.on(", ");
    Set<String> known = new TreeSet<>();
    for (String type :
        list.split(refusal("schedule.type = none").replaceAll(".*of |, but.*", ""))) {
      refusal("unknown = 1, schedule { type = " + type + ", unknown = 1 }")
          .lines()
          .filter(line -> line.contains("unknown key"))
          .forEach(line -> known.addAll(list.splitToList(line.replaceAll(".* are ", ""))));
    }
    return known;
  }

  private static String refusal(String average) {
    Config wrong = ConfigFactory.parseString("ema.average { " + average + " }");
    return assertThatIllegalArgumentException()
        .isThrownBy(() -> EmaConfig.from(wrong))
        .actual()
        .getMessage()
        .replaceFirst("^the configuration has problems:\n", "");
  }

  private static void collect(ConfigObject object, String prefix, List<String> keys) {
    object.forEach(
        (key, value) -> {
          if (value instanceof ConfigObject nested) {
            collect(nested, prefix + key + ".", keys);
          } else {
            keys.add(prefix + key);
          }
        });
  }

  private static void withProperty(String key, String value, Runnable test) {
    System.setProperty(key, value);
    try {
      test.run();
    } finally {
      System.clearProperty(key);
      ConfigFactory.invalidateCaches();
    }
  }

  private Path write(String name, String text) throws IOException {
    return Files.writeString(directory.resolve(name), text);
  }
}
