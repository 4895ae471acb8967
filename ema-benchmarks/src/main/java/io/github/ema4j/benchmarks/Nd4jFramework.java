package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.dl4j.Dl4jBackend;
import io.github.ema4j.spi.ModelAdapter;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * ND4J, as DL4J has it: parameters are views of one vector, one after another. Without a network
 * around them, as none has just the tensors that are wanted.
 */
final class Nd4jFramework implements TrainingFramework<StateDict<INDArray>, INDArray> {

  @Override
  public String name() {
    return "ND4J";
  }

  @Override
  public String demoName() {
    return "dl4j";
  }

  @Override
  public ModelAdapter<StateDict<INDArray>, INDArray> adapter() {
    return StateDict.adapter(Dl4jBackend.instance());
  }

  @Override
  public StateDict<INDArray> model(List<INDArray> tensors) {
    return Models.stateDict(Dl4jBackend.instance(), tensors);
  }

  @Override
  public int mostThreads() {
    return Integer.MAX_VALUE;
  }

  @Override
  public void useThreads(int threads) {
    Nd4j.getEnvironment().setMaxMasterThreads(threads);
    Nd4j.getEnvironment().setMaxThreads(threads);
    Nd4j.getNDArrayFactory().blas().setMaxThreads(threads);
  }

  @Override
  public ImmutableMap<String, Peer<INDArray>> peers(ElementType type) {
    return type == ElementType.F32
        ? ImmutableMap.of(
            "muli, addi(mul)", Nd4jFramework::weightedSum,
            "subi, muli, addi", Nd4jFramework::inPlace)
        : ImmutableMap.of(
            "muli, addi(mul) of castTo", ofFloats(Nd4jFramework::weightedSum),
            "subi, muli, addi of castTo", ofFloats(Nd4jFramework::inPlace));
  }

  private static void weightedSum(List<INDArray> averages, List<INDArray> models, double decay) {
    for (int i = 0; i < averages.size(); i++) {
      try (INDArray weighted = models.get(i).mul(1 - decay)) {
        averages.get(i).muli(decay).addi(weighted);
      }
    }
  }

  private static void inPlace(List<INDArray> averages, List<INDArray> models, double decay) {
    for (int i = 0; i < averages.size(); i++) {
      averages.get(i).subi(models.get(i)).muli(decay).addi(models.get(i));
    }
  }

  /** The same of models of another type: ND4J's operations take two arrays of one. */
  private static Peer<INDArray> ofFloats(Peer<INDArray> peer) {
    return (averages, models, decay) -> {
      for (int i = 0; i < averages.size(); i++) {
        try (INDArray model = models.get(i).castTo(DataType.FLOAT)) {
          peer.update(List.of(averages.get(i)), List.of(model), decay);
        }
      }
    };
  }

  @Override
  public Training training(boolean tiny) {
    return new Dl4jTraining(tiny);
  }
}
