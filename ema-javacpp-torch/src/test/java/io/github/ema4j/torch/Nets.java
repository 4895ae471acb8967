package io.github.ema4j.torch;

import static com.google.common.collect.ImmutableMap.toImmutableMap;

import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.Floats;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm1dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A small network as users write them, and what tests do with modules. */
final class Nets {
  static final int INPUTS = 6;
  static final int CLASSES = 3;

  private Nets() {}

  /** Two linear layers with batch norm between them, and a buffer that scales the output. */
  static final class Net extends Module {
    final LinearImpl first = register_module("first", new LinearImpl(INPUTS, 8));
    final BatchNorm1dImpl norm =
        register_module("norm", new BatchNorm1dImpl(new BatchNormOptions(8)));
    final LinearImpl last = register_module("last", new LinearImpl(8, CLASSES));
    final Tensor scale = register_buffer("scale", torch.ones(1));

    Tensor forward(Tensor inputs) {
      Tensor hidden = torch.relu(norm.forward(first.forward(inputs)));
      return last.forward(hidden).mul(scale);
    }
  }

  static Net seeded(long seed) {
    torch.set_num_threads(1);
    torch.manual_seed(seed);
    return new Net();
  }

  static SGD optimizer(Module net) {
    SGDOptions options = new SGDOptions(0.1);
    options.momentum().put(0.9);
    return new SGD(net.parameters(), options);
  }

  /** Takes one step on a batch that the seed and the step decide. */
  @SuppressWarnings("try") // the scope is there to be closed
  static void train(Net net, Optimizer optimizer, int step) {
    try (PointerScope scope = new PointerScope()) {
      net.train(true);
      optimizer.zero_grad();
      Tensor inputs = inputs(step);
      Tensor labels = inputs.argmax(new LongOptional(1), false);
      Tensor classes = labels.remainder(new Scalar(CLASSES));
      torch.cross_entropy(net.forward(inputs), classes).backward();
      optimizer.step();
    }
  }

  /** Returns 16 inputs that depend on a number alone. */
  static Tensor inputs(int number) {
    return torch
        .arange(new Scalar(16 * INPUTS))
        .mul(new Scalar(1 + number))
        .to(ScalarType.Float)
        .sin()
        .reshape(16, INPUTS);
  }

  /** Evaluates a network. */
  @SuppressWarnings("try") // the guards are there to be closed
  static List<Float> answers(Net net) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      net.eval();
      return Floats.asList(floats(net.forward(inputs(100))));
    }
  }

  static float[] floats(Tensor tensor) {
    try (Tensor contiguous = tensor.to(ScalarType.Float).contiguous()) {
      float[] values = new float[(int) contiguous.numel()];
      if (values.length > 0) {
        contiguous.data_ptr_float().get(values);
      }
      return values;
    }
  }

  static Tensor tensor(ScalarType type, long... shape) {
    return torch.ones(shape, new TensorOptions(type));
  }

  /** Returns copies of a module's tensors by name, as floats. */
  static <M extends Pointer> Map<String, List<Float>> weights(TorchAdapter<M> adapter, M model) {
    try (StateDict<Tensor> dict = adapter.stateDict(model)) {
      return values(dict);
    }
  }

  static Map<String, List<Float>> weights(Net net) {
    return weights(TorchAdapter.of(Net.class), net);
  }

  static ImmutableMap<String, List<Float>> values(StateDict<?> dict) {
    return dict.entries().stream()
        .collect(
            toImmutableMap(Entry::name, entry -> Floats.asList(floats((Tensor) entry.tensor()))));
  }

  /** Adds to all floating-point tensors of a module. */
  static void shift(Module module, double by) {
    Guards.withoutGradient(
        () -> {
          for (long i = 0; i < module.parameters().size(); i++) {
            module.parameters().get(i).add_(new Scalar(by));
          }
        });
  }
}
