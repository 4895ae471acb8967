package io.github.ema4j.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.dl4j.Dl4jBackend;
import io.github.ema4j.spi.TensorBackend;
import io.github.ema4j.torch.TorchBackend;
import java.nio.FloatBuffer;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** ND4J and LibTorch, both by JavaCPP and on one OpenBLAS, in one JVM. */
class FrameworksTogetherTest {
  private static final int SIZE = 300;

  @Test
  void nd4jAndLibTorchMultiplyAndAverageInOneJvm() {
    multiplyByNd4j();
    multiplyByLibTorch();
    multiplyByNd4j();

    assertThat(averaged(Dl4jBackend.instance())).isEqualTo(averaged(TorchBackend.instance()));
  }

  private static void multiplyByNd4j() {
    INDArray ones = Nd4j.ones(DataType.FLOAT, SIZE, SIZE);
    assertThat(ones.mmul(ones).sumNumber().longValue()).isEqualTo((long) SIZE * SIZE * SIZE);
  }

  private static void multiplyByLibTorch() {
    try (Tensor ones = torch.ones(SIZE, SIZE);
        Tensor product = ones.matmul(ones);
        Tensor sum = product.sum()) {
      assertThat((long) sum.item_float()).isEqualTo((long) SIZE * SIZE * SIZE);
    }
  }

  /** Returns the average of a tensor that took a step. */
  private static <T> float[] averaged(TensorBackend<T> backend) {
    List<T> tensors = backend.allocate(List.of(TensorSpec.contiguous(ElementType.F32, SIZE)));
    StateDict<T> model = StateDict.builder(backend).parameter("weight", tensors.get(0)).build();
    fill(memory(backend, tensors.get(0)), 1);
    try (ModelEma<StateDict<T>> ema =
        ModelEma.builder(StateDict.adapter(backend))
            .strategy(EmaStrategy.nameMatched(0.999))
            .build(model)) {
      fill(memory(backend, tensors.get(0)), 3);
      ema.update(model);
      float[] average = new float[SIZE];
      memory(backend, backend.tensorType().cast(ema.state().entries().get(0).tensor()))
          .get(average);
      return average;
    } finally {
      backend.release(tensors);
    }
  }

  private static <T> FloatBuffer memory(TensorBackend<T> backend, T tensor) {
    return ((FloatBuffer) backend.memory(tensor).segmentAt(0)).duplicate();
  }

  private static void fill(FloatBuffer memory, float factor) {
    for (int i = 0; i < SIZE; i++) {
      memory.put(factor / (i + 1));
    }
  }
}
