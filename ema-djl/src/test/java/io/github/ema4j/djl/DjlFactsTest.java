package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What DJL does that this module leans on or works around; the other tests hold more of it. */
class DjlFactsTest {
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager(Device.cpu());
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void namesInABlockAreUniqueAndThoseOfParametersAreNot() {
    try (Model model = Nets.initialized(1)) {
      var parameters = model.getBlock().getParameters();
      assertThat(parameters.keys()).doesNotHaveDuplicates();
      assertThat(parameters.values().stream().map(Parameter::getName))
          .contains("weight")
          .hasSizeGreaterThan(
              (int) parameters.values().stream().map(Parameter::getName).distinct().count());
    }
  }

  @Test
  void listenersHearOfABatchBeforeTheWeightsMove() throws Exception {
    List<float[]> heard = new ArrayList<>();
    TrainingListenerAdapter listener =
        new TrainingListenerAdapter() {
          @Override
          public void onTrainingBatch(Trainer trainer, BatchData batchData) {
            heard.add(Nets.weights(trainer.getModel().getBlock()).get("01Linear_weight"));
          }
        };
    try (Model model = Nets.initialized(1);
        Trainer trainer = model.newTrainer(Nets.config().addTrainingListeners(listener))) {
      trainer.initialize(Nets.INPUT);
      float[] start = Nets.weights(model.getBlock()).get("01Linear_weight");
      EasyTrain.fit(trainer, 1, Nets.data(trainer.getManager()), null);

      assertThat(heard.get(0)).isEqualTo(start);
      assertThat(heard.get(1)).isNotEqualTo(start);
    }
  }

  @Test
  void aParameterTakesNoOtherArrayOnceItHasOne() {
    try (Model model = Nets.initialized(1)) {
      Parameter parameter = model.getBlock().getParameters().get(0).getValue();
      NDArray other = manager.ones(parameter.getArray().getShape());
      assertThatThrownBy(() -> parameter.setArray(other)).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void aViewThatIsNotContiguousOpensAsACopy() {
    NDArray array = manager.ones(new Shape(2, 3));
    FloatBuffer buffer = array.transpose().toByteBuffer(true).asFloatBuffer();
    buffer.put(0, 9);
    assertThat(array.toFloatArray()).containsOnly(1);

    array.toByteBuffer(true).asFloatBuffer().put(0, 9);
    assertThat(array.toFloatArray()[0]).isEqualTo(9);
  }

  @Test
  void settingAnArrayPutsOtherMemoryBehindIt() {
    NDArray array = manager.ones(new Shape(2));
    FloatBuffer before = array.toByteBuffer(true).asFloatBuffer();
    NDArray view = array.reshape(2, 1); // keeps what was there before
    array.set(new float[] {5, 6});

    assertThat(before.get(0)).isEqualTo(1);
    assertThat(view.toFloatArray()).containsExactly(1, 1);
  }

  @Test
  @Tag("full")
  void anArrayAboveTwoGigabytesDoesNotOpenAtOnce() {
    NDArray array = manager.zeros(new Shape((1L << 31) + 1), DataType.INT8);
    assertThatThrownBy(() -> array.toByteBuffer(true))
        .isInstanceOf(RuntimeException.class)
        .hasMessageContaining("large tensor");
  }

  /** Makes a bfloat16 array. */
  static final class MakeBfloat16 {
    private MakeBfloat16() {}

    public static void main(String[] args) {
      try (NDManager manager = NDManager.newBaseManager(Device.cpu())) {
        NDArray array = manager.ones(new Shape(2));
        System.out.println("making");
        array.toType(DataType.BFLOAT16, true);
        System.out.println("made");
      }
    }
  }

  @Test
  @Tag("full")
  void bfloat16EndsTheProcess(@TempDir Path directory) throws Exception {
    Path output = directory.resolve("output");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "-Dai.djl.offline=true",
                MakeBfloat16.class.getName())
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertThat(process.waitFor()).isNotZero();
    assertThat(Files.readString(output)).contains("making").doesNotContain("made\n");
  }
}
