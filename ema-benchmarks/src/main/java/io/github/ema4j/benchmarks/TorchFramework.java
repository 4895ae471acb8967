package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.torch.TorchAdapter;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorType;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** LibTorch, by the JavaCPP presets. */
@SuppressWarnings("try") // scopes and guards are open for as long as they are not closed
final class TorchFramework implements TrainingFramework<Module, Tensor> {

  @Override
  public String name() {
    return "LibTorch";
  }

  @Override
  public String demoName() {
    return "torch";
  }

  @Override
  public ModelAdapter<Module, Tensor> adapter() {
    return TorchAdapter.of(Module.class);
  }

  @Override
  public Module model(List<Tensor> tensors) {
    Module module = new Module();
    for (int i = 0; i < tensors.size(); i++) {
      module.register_parameter(Models.name(i), tensors.get(i));
    }
    return module;
  }

  @Override
  public int mostThreads() {
    return Integer.MAX_VALUE;
  }

  @Override
  public void useThreads(int threads) {
    torch.set_num_threads(threads);
  }

  @Override
  public ImmutableMap<String, Peer<Tensor>> peers(ElementType type) {
    ImmutableMap.Builder<String, Peer<Tensor>> peers = ImmutableMap.builder();
    peers.put(Names.TIMM, TorchFramework::timm);
    peers.put("mul_, add_", TorchFramework::mulAdd);
    if (type == ElementType.F32) {
      peers.put(Names.LERP, TorchFramework::lerp);
      peers.put(Names.FOREACH_LERP, new ForeachLerp());
    } else { // lerp_ takes two tensors of one type
      peers.put("lerp_ of float()", TorchFramework::lerpOfFloats);
    }
    return peers.build();
  }

  /** {@code ema.copy_(ema * decay + (1 - decay) * model)}, of timm 0.6.11. */
  private static void timm(List<Tensor> averages, List<Tensor> models, double decay) {
    try (NoGradGuard guard = new NoGradGuard();
        Scalar kept = new Scalar(decay);
        Scalar weight = new Scalar(1 - decay)) {
      for (int i = 0; i < averages.size(); i++) {
        // As in Python, what is between is freed before the next tensor is looked at.
        try (PointerScope temporaries = new PointerScope()) {
          Tensor average = averages.get(i);
          average.copy_(average.mul(kept).add(models.get(i).mul(weight)));
        }
      }
    }
  }

  private static void mulAdd(List<Tensor> averages, List<Tensor> models, double decay) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Scalar kept = new Scalar(decay);
      Scalar weight = new Scalar(1 - decay);
      for (int i = 0; i < averages.size(); i++) {
        averages.get(i).mul_(kept).add_(models.get(i), weight);
      }
    }
  }

  private static void lerp(List<Tensor> averages, List<Tensor> models, double decay) {
    try (PointerScope temporaries = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Scalar weight = new Scalar(1 - decay);
      for (int i = 0; i < averages.size(); i++) {
        averages.get(i).lerp_(models.get(i), weight);
      }
    }
  }

  private static void lerpOfFloats(List<Tensor> averages, List<Tensor> models, double decay) {
    try (NoGradGuard guard = new NoGradGuard();
        Scalar weight = new Scalar(1 - decay)) {
      for (int i = 0; i < averages.size(); i++) {
        try (PointerScope temporaries = new PointerScope()) {
          averages.get(i).lerp_(models.get(i).to(ScalarType.Float), weight);
        }
      }
    }
  }

  /**
   * The operation over lists, called by name. The lists are made once, as nothing else would be its
   * own time.
   */
  private static final class ForeachLerp implements Peer<Tensor> {
    private Optional<IValue> averageList = Optional.empty();
    private Optional<IValue> modelList = Optional.empty();

    @Override
    public void update(List<Tensor> averages, List<Tensor> models, double decay) {
      IValue first = averageList.orElseGet(() -> list(averages));
      IValue second = modelList.orElseGet(() -> list(models));
      averageList = Optional.of(first);
      modelList = Optional.of(second);
      try (PointerScope temporaries = new PointerScope();
          NoGradGuard guard = new NoGradGuard()) {
        IValueVector arguments = new IValueVector(first, second, new IValue(new Scalar(1 - decay)));
        Dispatcher.singleton()
            .findSchemaOrThrow("aten::_foreach_lerp_", "Scalar")
            .callBoxed(arguments);
      }
    }

    private static IValue list(List<Tensor> tensors) {
      try (PointerScope temporaries = new PointerScope()) {
        GenericList list = new GenericList(new Type.TypePtr(TensorType.get()));
        tensors.forEach(tensor -> list.push_back(new IValue(tensor)));
        return new IValue(list).retainReference();
      }
    }
  }

  @Override
  public Training training(boolean tiny) {
    return new TorchTraining(tiny);
  }
}
