package io.github.ema4j.dl4j;

import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.versioncheck.VersionCheck;

/** Averages arrays that lie as a network's parameters do: views of one vector for each type. */
class Dl4jConformanceTest extends ConformanceKit<StateDict<INDArray>, INDArray> {
  private static final Dl4jBackend BACKEND = Dl4jBackend.instance();

  @Override
  public ModelAdapter<StateDict<INDArray>, INDArray> adapter() {
    return StateDict.adapter(BACKEND);
  }

  @Override
  public Set<Capability> capabilities() {
    return EnumSet.complementOf(
        EnumSet.of(
            Capability.MOVING,
            Capability.OTHER_DEVICES,
            Capability.CUDA,
            Capability.COUNTED_MEMORY));
  }

  @Override
  public StateDict<INDArray> newModel(StateDict<ArrayTensor> like) {
    List<ArrayTensor> tensors = like.entries().stream().map(Entry::tensor).distinct().toList();
    List<INDArray> arrays =
        BACKEND.allocate(tensors.stream().map(like.backend()::describe).toList());
    StateDict.Builder<INDArray> model = StateDict.builder(BACKEND);
    for (Entry<ArrayTensor> entry : like.entries()) {
      model.add(entry.name(), arrays.get(tensors.indexOf(entry.tensor())), entry.role());
    }
    return model.build();
  }

  @Override
  public void release(StateDict<INDArray> model) {
    BACKEND.release(model.entries().stream().map(Entry::tensor).toList());
  }

  @Override
  public String version() {
    return VersionCheck.getVersionInfos().stream()
        .filter(info -> info.getArtifactId().equals("nd4j-api"))
        .map(info -> "ND4J " + info.getBuildVersion())
        .findFirst()
        .orElse("ND4J of unknown version");
  }
}
