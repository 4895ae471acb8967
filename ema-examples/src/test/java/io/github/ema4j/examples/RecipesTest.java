package io.github.ema4j.examples;

import static com.google.common.collect.Iterables.getLast;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The recipes against computations of their own, on a model of one weight. */
class RecipesTest {
  private final double[] weight = {0};
  private final StateDict<ArrayTensor> model = modelOf(weight);

  @TempDir private Path folder;

  private static StateDict<ArrayTensor> modelOf(double... weights) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("weight", ArrayTensor.of(weights, weights.length))
        .build();
  }

  @Test
  void fineTuningStartsFromThePretrainedAverage() throws IOException {
    Path pretrained = folder.resolve("model_best.pth.tar");
    PthWriter.of(PthLayout.TIMM).model(modelOf(5)).average(modelOf(3)).write(pretrained);
    List<Double> trained = new ArrayList<>();

    FineTune.train(
        ArrayBackend.adapter(),
        model,
        pretrained,
        10,
        m -> {
          trained.add(weight[0]);
          weight[0] += 1;
        });

    assertThat(trained).startsWith(3.0, 4.0, 5.0).hasSize(10);
    double expected = 3;
    for (int n = 1; n <= 10; n++) {
      expected = 0.999 * expected + 0.001 * (3 + n);
    }
    assertThat(weight[0]).isCloseTo(expected, within(1e-13));
  }

  @Test
  void aTrainingThatDiedGoesOnToTheSameBits() throws IOException {
    double[] straight = {0};
    ResumeTraining.train(
        ArrayBackend.adapter(),
        modelOf(straight),
        folder.resolve("a"),
        100,
        10,
        towardsOne(straight));

    AtomicInteger steps = new AtomicInteger();
    Consumer<StateDict<ArrayTensor>> step = towardsOne(weight);
    assertThatIllegalStateException()
        .isThrownBy(
            () ->
                ResumeTraining.train(
                    ArrayBackend.adapter(),
                    model,
                    folder.resolve("b"),
                    100,
                    10,
                    m -> {
                      if (steps.getAndIncrement() == 57) {
                        throw new IllegalStateException("the power is gone");
                      }
                      step.accept(m);
                    }));
    weight[0] = -1; // another process
    ResumeTraining.train(
        ArrayBackend.adapter(),
        model,
        folder.resolve("b"),
        100,
        10,
        m -> {
          steps.incrementAndGet();
          step.accept(m);
        });

    assertThat(steps.get()).as("58 until it died, 50 from the checkpoint on").isEqualTo(108);
    assertThat(weight[0]).isEqualTo(straight[0]).isNotZero();
  }

  /** Two processes are threads here, and one goes on alone. */
  @Test
  void processesShareOutTheAverage() throws Exception {
    CompletableFuture<Void> other = CompletableFuture.runAsync(() -> trainInProcesses(1, 2, 20));
    trainInProcesses(0, 2, 20);
    other.get();
    double[] alone = trainInProcesses(0, 1, 30);

    double value = 0;
    double expected = 0;
    for (int n = 1; n <= 30; n++) {
      value += 0.3 * (1 - value);
      expected = 0.99 * expected + 0.01 * value;
    }
    assertThat(alone[0]).as("the model went on").isCloseTo(value, within(1e-13));
    try (Checkpoint last = Checkpoint.open(latest())) {
      StateDict<FileTensor> average = last.averages().values().iterator().next().weights();
      assertThat(average.entries()).hasSize(2);
      StateDict<ArrayTensor> read = twoWeights(new double[1], new double[1]);
      try (ModelEma<StateDict<ArrayTensor>> ema =
          ModelEma.builder(ArrayBackend.adapter()).build(read)) {
        ema.load(average);
        ema.copyTo(read);
      }
      for (StateDict.Entry<ArrayTensor> entry : read.entries()) {
        assertThat(((double[]) entry.tensor().array())[0]).isCloseTo(expected, within(1e-13));
      }
    }
  }

  private Path latest() throws IOException {
    return getLast(CheckpointFolder.checkpoints(folder));
  }

  private double[] trainInProcesses(int rank, int processes, int steps) {
    double[] first = {0};
    double[] second = {0};
    Consumer<StateDict<ArrayTensor>> step = towardsOne(first).andThen(towardsOne(second));
    try {
      TrainInProcesses.train(
          ArrayBackend.adapter(),
          twoWeights(first, second),
          rank,
          processes,
          folder,
          steps,
          10,
          step);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return first;
  }

  private static StateDict<ArrayTensor> twoWeights(double[] first, double[] second) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("first", ArrayTensor.of(first, 1))
        .parameter("second", ArrayTensor.of(second, 1))
        .build();
  }

  private static Consumer<StateDict<ArrayTensor>> towardsOne(double[] weight) {
    return m -> weight[0] += 0.3 * (1 - weight[0]);
  }

  @Test
  void theTeacherIsTheAverageOfTheStudentsSoFar() {
    double[] expected = {0, 0}; // the student and its average
    AtomicInteger steps = new AtomicInteger();
    MeanTeacher.train(
        ArrayBackend.adapter(),
        model,
        50,
        (student, teacher) -> {
          int n = steps.incrementAndGet();
          double[] taught = (double[]) teacher.entries().get(0).tensor().array();
          assertThat(taught[0]).isCloseTo(expected[1], within(1e-13));
          weight[0] += 0.1 * (1 + taught[0] - weight[0]);
          expected[0] = weight[0];
          double decay = 1 - 0.004 * (Math.cos(Math.PI * n / 50) + 1) / 2;
          expected[1] = decay * expected[1] + (1 - decay) * expected[0];
        });

    assertThat(steps).hasValue(50);
    assertThat(expected[1]).isGreaterThan(0.01);
  }

  @Test
  void theBestOfSeveralAveragesIsLeftInTheModel() {
    double[] medium = {0};
    AtomicInteger steps = new AtomicInteger();
    String best =
        SeveralDecays.train(
            ArrayBackend.adapter(),
            model,
            200,
            m -> {
              weight[0] = steps.incrementAndGet();
              medium[0] = 0.99 * medium[0] + 0.01 * weight[0];
            },
            m -> Math.abs(weight[0] - medium[0]));

    assertThat(best).isEqualTo("medium");
    assertThat(weight[0]).isCloseTo(medium[0], within(1e-10));
  }
}
