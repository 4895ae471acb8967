package io.github.ema4j.benchmarks;

import com.google.common.primitives.ImmutableIntArray;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * The convolutional network that is trained on every framework, on random images: 3x3 convolutions
 * without padding, all but the first with stride 2, each with batch norm and ReLU, then a linear
 * layer. The optimiser is SGD with momentum.
 *
 * @param channels the outputs of each convolution
 * @param side how many pixels an image is wide and high
 * @param batchSize images a step
 */
record TrainingNet(ImmutableIntArray channels, int side, int batchSize) {
  static final int COLORS = 3;
  static final int CLASSES = 10;
  static final int KERNEL = 3;
  static final float LEARNING_RATE = 0.01f;
  static final float MOMENTUM = 0.9f;
  static final double DECAY = 0.999;

  private static final TrainingNet LARGE =
      new TrainingNet(ImmutableIntArray.of(64, 128, 256, 512, 512), 64, 16);
  private static final TrainingNet TINY = new TrainingNet(ImmutableIntArray.of(4, 8), 16, 2);

  static TrainingNet of(boolean tiny) {
    return tiny ? TINY : LARGE;
  }

  static int stride(int layer) {
    return layer == 0 ? 1 : 2;
  }

  /** Returns how many numbers the linear layer takes of an image. */
  int features() {
    int left = side;
    for (int layer = 0; layer < channels.length(); layer++) {
      left = (left - KERNEL) / stride(layer) + 1;
    }
    return left * left * channels.get(channels.length() - 1);
  }

  String description() {
    long parameters = (long) features() * CLASSES + CLASSES;
    int inputs = COLORS;
    for (int outputs : channels.asList()) {
      parameters += ((long) inputs * KERNEL * KERNEL + 3) * outputs; // bias, gain and shift
      inputs = outputs;
    }
    return String.format(
        Locale.ROOT,
        "convnet of %,d parameters, batches of %d images of %dx%d",
        parameters,
        batchSize,
        side,
        side);
  }

  /** Returns a batch of images, image by image, channel by channel, row by row. */
  float[] images() {
    SplittableRandom random = new SplittableRandom(1);
    float[] pixels = new float[batchSize * COLORS * side * side];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextDouble();
    }
    return pixels;
  }

  /** Returns the class of each image. */
  int[] labels() {
    return new SplittableRandom(2).ints(batchSize, 0, CLASSES).toArray();
  }
}
