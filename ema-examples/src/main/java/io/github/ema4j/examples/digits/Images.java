package io.github.ema4j.examples.digits;

import static com.google.common.base.Preconditions.checkArgument;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Square grey images and their labels. Immutable: nobody writes to the arrays, which views share.
 */
final class Images {
  private final int side;
  private final float[][] pixels;
  private final int[] labels;

  /**
   * Takes arrays over.
   *
   * @param side how many pixels an image is wide and high
   * @param pixels the pixels of each image, row by row, in [0, 1]
   * @param labels the class of each image, from 0
   */
  Images(int side, float[][] pixels, int[] labels) {
    checkArgument(
        pixels.length == labels.length, "%s images have %s labels", pixels.length, labels.length);
    this.side = side;
    this.pixels = pixels;
    this.labels = labels;
  }

  int size() {
    return labels.length;
  }

  int side() {
    return side;
  }

  int label(int index) {
    return labels[index];
  }

  int[] labels() {
    return labels.clone();
  }

  /** Returns the pixels of all images in one array, image by image, row by row. */
  float[] pixels() {
    int length = side * side;
    float[] all = new float[Math.multiplyExact(size(), length)];
    for (int i = 0; i < size(); i++) {
      System.arraycopy(pixels[i], 0, all, i * length, length);
    }
    return all;
  }

  Images range(int from, int to) {
    return new Images(
        side, Arrays.copyOfRange(pixels, from, to), Arrays.copyOfRange(labels, from, to));
  }

  /** Splits these images into batches in their own order; the last one may be smaller. */
  List<Images> batches(int batchSize) {
    List<Images> batches = new ArrayList<>();
    for (int from = 0; from < size(); ) {
      int to = from + Math.min(batchSize, size() - from);
      batches.add(range(from, to));
      from = to;
    }
    return batches;
  }

  /** Returns the same images in a random order. */
  Images shuffled(RandomGenerator random) {
    int[] order = shuffledIndices(random);
    return new Images(
        side,
        Arrays.stream(order).mapToObj(i -> pixels[i]).toArray(float[][]::new),
        Arrays.stream(order).map(i -> labels[i]).toArray());
  }

  /**
   * Returns the same images with some labels drawn anew, uniformly over all classes, so that some
   * of them come out as they were.
   *
   * @param count how many labels to draw anew
   */
  Images withNoisyLabels(int count, int classes, RandomGenerator random) {
    int[] noisy = labels.clone();
    int[] order = shuffledIndices(random);
    for (int i = 0; i < count; i++) {
      noisy[order[i]] = random.nextInt(classes);
    }
    return new Images(side, pixels, noisy);
  }

  private int[] shuffledIndices(RandomGenerator random) {
    int[] indices = IntStream.range(0, size()).toArray();
    for (int i = indices.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = indices[i];
      indices[i] = indices[j];
      indices[j] = swapped;
    }
    return indices;
  }
}
