package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.base.Splitter;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EmaConfigFileTest {

  private static final Splitter LIST = Splitter.on(", ");

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
    List<String> listed = new ArrayList<>();
    collect(reference().getObject("ema.average"), "", listed);
    assertThat(listed).containsExactlyInAnyOrderElementsOf(known());
  }

  @Test
  void theReferenceSetsNothing() {
    assertThat(ConfigFactory.parseResources("reference.conf").entrySet()).isEmpty();
  }

  /** Sets each key to what the reference gives as its default, with a type that has it. */
  @Test
  void theReferenceTellsTheDefaults() {
    Config average = reference().getConfig("ema.average");
    Map<String, String> neededBy =
        Map.of(
            "linear", "schedule.duration = 9",
            "cosine", "schedule.duration = 9",
            "piecewise", "schedule.decayFromStep.1 = 0.5",
            "half-life", "schedule.halfLife = 9",
            "edm2-ramp", "schedule.halfLife = 9",
            "power-function", "schedule.sigmaRel = 0.1");
    for (String type : types()) {
      String start = "schedule.type = " + type + ", " + neededBy.getOrDefault(type, "");
      Set<String> known = known(type);
      for (Map.Entry<String, ConfigValue> entry : average.entrySet()) {
        if (known.contains(entry.getKey()) && !entry.getKey().equals("schedule.type")) {
          Config set = ConfigFactory.parseString("ema.average { " + start + " }");
          assertThat(
                  EmaConfig.from(set.withValue("ema.average." + entry.getKey(), entry.getValue())))
              .as("%s with %s", type, entry)
              .isEqualTo(EmaConfig.from(set));
        }
      }
    }
  }

  /** Returns the reference with all its defaults in force. */
  private static Config reference() {
    try (InputStream file = EmaConfig.class.getResourceAsStream("/reference.conf")) {
      String text = new String(file.readAllBytes(), StandardCharsets.UTF_8);
      return ConfigFactory.parseString(text.replaceAll("(?m)^( *)#(?=\\w)", "$1"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns what the reader says it knows with any type of schedule. */
  private static Set<String> known() {
    Set<String> known = new TreeSet<>();
    types().forEach(type -> known.addAll(known(type)));
    return known;
  }

  private static Set<String> known(String type) {
    Set<String> known = new TreeSet<>();
    refusal("unknown = 1, schedule { type = " + type + ", unknown = 1 }")
        .lines()
        .filter(line -> line.contains("unknown key"))
        .forEach(line -> known.addAll(LIST.splitToList(line.replaceAll(".* are ", ""))));
    return known;
  }

  private static List<String> types() {
    return LIST.splitToList(refusal("schedule.type = none").replaceAll(".*of |, but.*", ""));
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
