package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import java.util.List;

/** No framework: weights in Java arrays. */
final class ArrayFramework implements Framework<StateDict<ArrayTensor>, ArrayTensor> {

  @Override
  public String name() {
    return "arrays";
  }

  @Override
  public ModelAdapter<StateDict<ArrayTensor>, ArrayTensor> adapter() {
    return ArrayBackend.adapter();
  }

  @Override
  public StateDict<ArrayTensor> model(List<ArrayTensor> tensors) {
    return Models.stateDict(ArrayBackend.instance(), tensors);
  }

  @Override
  public int mostThreads() {
    return 1;
  }

  @Override
  public void useThreads(int threads) {}

  /** The loop that one writes: C2 vectorises it over arrays. */
  @Override
  public ImmutableMap<String, Peer<ArrayTensor>> peers(ElementType type) {
    return type == ElementType.F32
        ? ImmutableMap.of("for loop", ArrayFramework::loop)
        : ImmutableMap.of();
  }

  private static void loop(List<ArrayTensor> averages, List<ArrayTensor> models, double decay) {
    float weight = (float) (1 - decay);
    for (int i = 0; i < averages.size(); i++) {
      loop((float[]) averages.get(i).array(), (float[]) models.get(i).array(), weight);
    }
  }

  private static void loop(float[] average, float[] model, float weight) {
    for (int i = 0; i < average.length; i++) {
      average[i] += weight * (model[i] - average[i]);
    }
  }
}
