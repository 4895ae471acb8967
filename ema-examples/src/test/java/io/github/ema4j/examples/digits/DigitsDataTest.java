package io.github.ema4j.examples.digits;

import static io.github.ema4j.examples.digits.GzipFiles.row;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class DigitsDataTest {
  @TempDir Path directory;

  @Test
  void builtInDigitsAreSplitInFileOrder() {
    DigitsData data = DigitsData.read(Optional.empty());

    assertThat(data.training().size()).isEqualTo(1437);
    assertThat(data.test().size()).isEqualTo(360);
    assertThat(data.training().side()).isEqualTo(8);
    assertThat(data.classes()).isEqualTo(10);
    assertThat(data.training().range(0, 10).labels()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    assertThat(data.test().range(359, 360).labels()).containsExactly(8);
  }

  @Test
  void pixelsAreDividedByTheLargestOfTheFile() throws IOException {
    Path file =
        GzipFiles.write(directory, row(36, "0.5", "0") + row(36, "2", "1") + row(36, "1", "0"));

    DigitsData data = DigitsData.read(Optional.of(file));

    assertThat(data.training().range(0, 1).pixels()).hasSize(36).containsOnly(0.25f);
    assertThat(data.training().range(1, 2).pixels()).containsOnly(1);
    assertThat(data.test().pixels()).containsOnly(0.5f);
  }

  @Test
  void largerImagesAndOtherNumbersOfClassesWork() throws IOException {
    Path file = GzipFiles.write(directory, GzipFiles.randomImages(50, 28, 3));

    DigitsData data = DigitsData.read(Optional.of(file));

    assertThat(data.training().side()).isEqualTo(28);
    assertThat(data.training().size()).isEqualTo(40);
    assertThat(data.test().size()).isEqualTo(10);
    assertThat(data.classes()).isEqualTo(3);
    assertThat(data.training().batches(16)).extracting(Images::size).containsExactly(16, 16, 8);
  }

  @Test
  void blankLinesAndSpacesAreNoRows() throws IOException {
    Path file = GzipFiles.write(directory, "\n" + row(36, " 1 ", " 1 ") + "\n" + row(36, "1", "0"));

    assertThat(DigitsData.read(Optional.of(file)).training().labels()).containsExactly(1);
  }

  static Stream<Arguments> malformed() {
    String good = row(36, "1", "1");
    return Stream.of(
        arguments("", ": has no rows"),
        arguments("\n\n", ": has no rows"),
        arguments(
            good + row(35, "1", "1"), ", line 2: has 36 columns, but the lines before have 37"),
        arguments(good + "\n" + row(37, "1", "1"), ", line 3: has 38 columns"),
        arguments(row(35, "1", "1"), ", line 1: has 35 pixels and a label, but 35 is not a square"),
        arguments("1\n", ", line 1: has 0 pixels"),
        arguments(
            row(36, "pixel", "label") + good,
            ", line 1: column 1: a pixel must be a number of at least 0, but was 'pixel'"),
        arguments(good + row(36, "-1", "1"), ", line 2: column 1: a pixel must be a number"),
        arguments(good + row(36, "NaN", "1"), "but was 'NaN'"),
        arguments(good + row(36, "Infinity", "1"), "but was 'Infinity'"),
        arguments(good + row(36, "1e99", "1"), "but was '1e99'"),
        arguments(good + row(36, "", "1"), "but was ''"),
        arguments(good + row(36, "x".repeat(99), "1"), "but was '" + "x".repeat(40) + "…'"),
        arguments(
            good + good + row(36, "1", "1.5"),
            ", line 3: column 37: the label must be a whole number of at least 0, but was '1.5'"),
        arguments(good + row(36, "1", "-1"), "but was '-1'"),
        arguments(good + row(36, "1", "one"), "but was 'one'"),
        arguments(
            good + row(36, "1", "2000000000") + good,
            ", line 2: label 2000000000 is too large for a file of 3 rows"),
        arguments(row(36, "0", "1") + row(36, "0", "0"), ": all pixels are 0"),
        arguments(row(36, "1", "0") + row(36, "1", "0"), ": all labels are 0"),
        arguments(row(25, "1", "0") + row(25, "1", "1"), ": images of 5x5 pixels are too small"),
        arguments(good + "\"1\"2" + ",1".repeat(36) + "\n", ", after line 1: is not a whole"));
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void malformedFilesAreRefusedWithFileAndLine(String text, String expected) throws IOException {
    Path file = GzipFiles.write(directory, text);

    assertRefused(file, expected);
  }

  @Test
  void oneRowCannotBeSplit() throws IOException {
    Path file = GzipFiles.write(directory, row(36, "1", "0"));

    assertRefused(file, ": 1 row cannot be split");
  }

  @Test
  void missingFileIsToldWithWhereItWasLookedFor() {
    assertRefused(directory.resolve("nowhere.csv.gz"), ": no such file");
  }

  @Test
  void directoryIsNoFile() {
    assertRefused(directory, ": is a directory");
  }

  @Test
  void fileThatIsNotGzippedIsRefused() throws IOException {
    Path file = Files.writeString(directory.resolve("plain.csv"), row(36, "1", "1"));

    assertRefused(file, ": is not a whole gzipped CSV: ");
  }

  @Test
  void emptyFileIsRefused() throws IOException {
    assertRefused(Files.createFile(directory.resolve("empty.gz")), ": is not a whole gzipped CSV");
  }

  @Test
  void truncatedFileIsRefused() throws IOException {
    byte[] whole = GzipFiles.gzipped(GzipFiles.randomImages(500, 28, 10));
    Path file = Files.write(directory.resolve("cut.gz"), Arrays.copyOf(whole, whole.length - 1000));

    assertRefused(file, "is not a whole gzipped CSV");
  }

  private static void assertRefused(Path file, String expected) {
    assertThatExceptionOfType(InputException.class)
        .isThrownBy(() -> DigitsData.read(Optional.of(file)))
        .withMessageStartingWith("data file " + file.toAbsolutePath())
        .withMessageContaining(expected);
  }

  @Test
  void labelNoiseRedrawsTheAskedPartOfTheTrainingLabels() {
    DigitsData clean = DigitsData.read(Optional.empty());

    DigitsData noisy = clean.withLabelNoise(1, new SplittableRandom(3));

    long same = 0;
    int[] drawn = new int[10];
    for (int i = 0; i < clean.training().size(); i++) {
      same += clean.training().label(i) == noisy.training().label(i) ? 1 : 0;
      drawn[noisy.training().label(i)]++;
    }
    assertThat(same).as("labels that came out as they were").isBetween(100L, 190L);
    assertThat(Arrays.stream(drawn).boxed())
        .as("how often each class was drawn")
        .allMatch(count -> count > 100);
    assertThat(noisy.test().labels()).isEqualTo(clean.test().labels());
    assertThat(noisy.training().pixels()).isEqualTo(clean.training().pixels());
  }

  @Test
  void fifthOfTheLabelsIsDrawnByDefault() {
    DigitsData clean = DigitsData.read(Optional.empty());

    Images noisy = clean.withLabelNoise(0.2, new SplittableRandom(3)).training();

    long changed = 0;
    for (int i = 0; i < noisy.size(); i++) {
      changed += clean.training().label(i) != noisy.label(i) ? 1 : 0;
    }
    assertThat(changed).as("of 287 drawn labels a tenth stays").isBetween(240L, 280L);
  }

  @Test
  void noNoiseChangesNothing() {
    DigitsData clean = DigitsData.read(Optional.empty());

    assertThat(clean.withLabelNoise(0, new SplittableRandom(3)).training().labels())
        .isEqualTo(clean.training().labels());
  }

  @Test
  void orderIsAPermutationThatTheSeedDecides() {
    Images digits = DigitsData.read(Optional.empty()).training();

    Images shuffled = digits.shuffled(new SplittableRandom(1));

    assertThat(shuffled.labels()).isNotEqualTo(digits.labels());
    assertThat(rows(shuffled)).containsExactlyInAnyOrderElementsOf(rows(digits));
    assertThat(rows(digits.shuffled(new SplittableRandom(1)))).isEqualTo(rows(shuffled));
    assertThat(rows(digits.shuffled(new SplittableRandom(2)))).isNotEqualTo(rows(shuffled));
  }

  private static List<String> rows(Images images) {
    return images.batches(1).stream()
        .map(one -> one.label(0) + Arrays.toString(one.pixels()))
        .toList();
  }
}
