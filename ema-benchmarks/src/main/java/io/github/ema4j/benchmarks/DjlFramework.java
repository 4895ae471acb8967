package io.github.ema4j.benchmarks;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.djl.DjlBackend;
import io.github.ema4j.spi.ModelAdapter;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** DJL on its PyTorch engine. */
final class DjlFramework implements TrainingFramework<Block, NDArray> {

  @Override
  public String name() {
    return "DJL";
  }

  @Override
  public String demoName() {
    return "djl";
  }

  @Override
  public ModelAdapter<Block, NDArray> adapter() {
    return DjlAdapter.instance();
  }

  @Override
  public Block model(List<NDArray> tensors) {
    return new Parameters(tensors);
  }

  @Override
  public int mostThreads() {
    return Integer.MAX_VALUE;
  }

  /** Changes what the engine was started with: DJL itself has but a property for it. */
  @Override
  public void useThreads(int threads) {
    JniUtils.setNumThreads(threads);
  }

  @Override
  public ImmutableMap<String, Peer<NDArray>> peers(ElementType type) {
    return ImmutableMap.of(
        "muli, addi(mul)",
        (averages, models, decay) ->
            DjlBackend.instance().withoutGradient(() -> weightedSum(averages, models, decay)),
        "subi, muli, addi",
        (averages, models, decay) ->
            DjlBackend.instance().withoutGradient(() -> inPlace(averages, models, decay)));
  }

  private static void weightedSum(List<NDArray> averages, List<NDArray> models, double decay) {
    for (int i = 0; i < averages.size(); i++) {
      try (NDArray weighted = models.get(i).mul(1 - decay)) {
        averages.get(i).muli(decay).addi(weighted);
      }
    }
  }

  private static void inPlace(List<NDArray> averages, List<NDArray> models, double decay) {
    for (int i = 0; i < averages.size(); i++) {
      averages.get(i).subi(models.get(i)).muli(decay).addi(models.get(i));
    }
  }

  @Override
  public Training training(boolean tiny) {
    return new DjlTraining(tiny);
  }

  /** A block that has parameters and computes nothing. */
  private static final class Parameters extends AbstractBlock {

    Parameters(List<NDArray> arrays) {
      for (int i = 0; i < arrays.size(); i++) {
        Parameter.Builder parameter =
            Parameter.builder().setName(Models.name(i)).setType(Parameter.Type.WEIGHT);
        addParameter(parameter.build()).setArray(arrays.get(i));
      }
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore parameters,
        NDList inputs,
        boolean training,
        @Nullable PairList<String, Object> options) {
      return inputs;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputShapes) {
      return inputShapes;
    }
  }
}
