package io.github.ema4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import com.typesafe.config.ConfigFactory;
import io.github.ema4j.EmaConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Holds the documents to the code: examples are lines of tested sources, names are classes. */
class DocumentsTest {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final Pattern JAVA_BLOCK = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern HOCON_BLOCK = Pattern.compile("```hocon\n(.*?)```", Pattern.DOTALL);
  private static final Pattern TAGGED =
      Pattern.compile("// tag::([a-z]+)\\[]\n(.*?) *// end::\\1\\[]", Pattern.DOTALL);
  private static final Pattern CLASS_NAME = Pattern.compile("`([A-Z][a-z]+[A-Za-z]*)[`<(.]");

  /** Classes that documents name and that are not ours. */
  private static final Set<String> FOREIGN =
      Set.of(
          "BigDecimal",
          "IllegalStateException",
          "JavaSparkContext",
          "Math",
          "PointerScope",
          "SequentialImpl",
          "UnsupportedOperationException");

  private static final Pattern RELATIVE_LINK = Pattern.compile("]\\(((?!https?:)[^)#]+)");

  @ParameterizedTest
  @MethodSource("documents")
  void everyExampleIsATaggedPieceOfTestedSource(String document) {
    Set<String> tagged =
        sources().stream()
            .map(DocumentsTest::read)
            .flatMap(source -> TAGGED.matcher(source).results())
            .map(match -> match.group(2).stripTrailing().stripIndent() + "\n")
            .collect(Collectors.toSet());

    List<String> examples =
        JAVA_BLOCK
            .matcher(read(ROOT.resolve(document)))
            .results()
            .map(match -> match.group(1))
            .toList();

    assertThat(examples).allSatisfy(example -> assertThat(tagged).contains(example));
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyConfigurationIsRead(String document) {
    assertThat(HOCON_BLOCK.matcher(read(ROOT.resolve(document))).results())
        .allSatisfy(
            block ->
                assertThat(EmaConfig.from(ConfigFactory.parseString(block.group(1))))
                    .as(block.group(1))
                    .isNotEqualTo(EmaConfig.defaults()));
  }

  @ParameterizedTest
  @MethodSource("documents")
  void documentsNameOnlyClassesThatExist(String document) {
    Set<String> known =
        sources().stream()
            .map(source -> source.getFileName().toString().replace(".java", ""))
            .collect(Collectors.toSet());

    Set<String> named =
        CLASS_NAME
            .matcher(read(ROOT.resolve(document)))
            .results()
            .map(MatchResult::group)
            .map(match -> match.substring(1, match.length() - 1))
            .filter(name -> !FOREIGN.contains(name))
            .collect(Collectors.toCollection(TreeSet::new));

    assertThat(known).containsAll(named);
  }

  @ParameterizedTest
  @MethodSource("documents")
  void documentsLinkOnlyToFilesThatExist(String document) {
    Path file = ROOT.resolve(document);

    List<String> targets =
        RELATIVE_LINK.matcher(read(file)).results().map(match -> match.group(1)).toList();

    assertThat(targets).allSatisfy(target -> assertThat(file.resolveSibling(target)).exists());
  }

  @Test
  void theBomNamesTheVersionThatTheReadmeTellsUsersToTake() {
    String version =
        Splitter.on("<version>").limit(3).splitToList(read(ROOT.resolve("pom.xml"))).get(1);

    assertThat(read(ROOT.resolve("README.md")))
        .contains("<version>" + version.substring(0, version.indexOf('<')) + "</version>");
  }

  @Test
  void theReadmeHasExamples() {
    assertThat(JAVA_BLOCK.matcher(read(ROOT.resolve("README.md"))).results()).isNotEmpty();
  }

  static List<String> documents() {
    try (Stream<Path> top = Files.list(ROOT);
        Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
      return Stream.concat(top, docs)
          .filter(file -> file.toString().endsWith(".md"))
          .map(file -> ROOT.relativize(file).toString())
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> sources() {
    try (Stream<Path> files = Files.walk(ROOT)) {
      return files
          .filter(file -> file.toString().endsWith(".java"))
          .filter(file -> !file.toString().contains("target"))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
