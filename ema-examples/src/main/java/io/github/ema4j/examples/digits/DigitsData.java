package io.github.ema4j.examples.digits;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * What the demo trains and tests on: the first 80 % of a file's rows and the rest.
 *
 * @param training the images to train on, part of whose labels may be noise
 * @param test the images to test on, with their true labels
 * @param classes how many classes there are: the largest label and one
 */
record DigitsData(Images training, Images test, int classes) {

  /**
   * The least side of an image: two 3x3 convolutions without padding take 4 pixels off, and a batch
   * norm needs more than one of what is left.
   */
  static final int MINIMUM_SIDE = 6;

  private static final String BUILT_IN = "/digits.csv.gz";

  /**
   * Reads a file; the built-in digits if there is none.
   *
   * @throws InputException if the file is missing, malformed, or not enough to train and test on
   */
  static DigitsData read(Optional<Path> file) {
    return file.map(path -> split("data file " + path, ImageFile.read(path)))
        .orElseGet(DigitsData::builtIn);
  }

  private static DigitsData builtIn() {
    try (InputStream bytes = DigitsData.class.getResourceAsStream(BUILT_IN)) {
      if (bytes == null) {
        throw new IllegalStateException("the class path has no " + BUILT_IN);
      }
      return split(BUILT_IN, ImageFile.read(BUILT_IN, bytes));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static DigitsData split(String name, Images all) {
    int trained = (int) (all.size() * 4L / 5);
    if (trained == 0) {
      throw new InputException(
          name + ": 1 row cannot be split into training and test images: at least 2");
    }
    int classes = 0;
    for (int i = 0; i < all.size(); i++) {
      classes = Math.max(classes, all.label(i) + 1);
    }
    if (classes < 2) {
      throw new InputException(name + ": all labels are 0: nothing to tell apart");
    }
    if (all.side() < MINIMUM_SIDE) {
      throw new InputException(
          "%s: images of %dx%d pixels are too small for two 3x3 convolutions: at least %dx%d"
              .formatted(name, all.side(), all.side(), MINIMUM_SIDE, MINIMUM_SIDE));
    }
    return new DigitsData(all.range(0, trained), all.range(trained, all.size()), classes);
  }

  /**
   * Returns the same data with part of the training labels drawn anew, uniformly over all classes.
   *
   * @param part how much of them, in [0, 1]; rounded to a whole number of labels
   */
  DigitsData withLabelNoise(double part, RandomGenerator random) {
    int count = (int) Math.round(part * training.size());
    return new DigitsData(training.withNoisyLabels(count, classes, random), test, classes);
  }
}
