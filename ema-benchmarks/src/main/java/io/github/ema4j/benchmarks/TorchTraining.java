package io.github.ema4j.benchmarks;

import static org.bytedeco.pytorch.global.torch.relu;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.torch.TorchAdapter;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The network in training on LibTorch. */
final class TorchTraining implements TrainingFramework.Training {
  private final TrainingNet shape;
  private final Net net;
  private final SGD optimizer;
  private final Tensor images;
  private final Tensor labels;
  private final ModelEma<Net> ema;

  TorchTraining(boolean tiny) {
    shape = TrainingNet.of(tiny);
    torch.manual_seed(1);
    net = new Net(shape);
    SGDOptions options = new SGDOptions(TrainingNet.LEARNING_RATE);
    options.momentum().put(TrainingNet.MOMENTUM);
    optimizer = new SGD(net.parameters(), options);
    images =
        Tensor.create(
            shape.images(), shape.batchSize(), TrainingNet.COLORS, shape.side(), shape.side());
    labels = Tensor.create(shape.labels(), shape.batchSize()).to(ScalarType.Long);
    ema =
        ModelEma.builder(TorchAdapter.of(Net.class))
            .strategy(EmaStrategy.nameMatched(TrainingNet.DECAY))
            .build(net);
  }

  @Override
  public String description() {
    return shape.description();
  }

  @Override
  @SuppressWarnings("try") // the scope is there to be closed
  public void step() {
    try (PointerScope temporaries = new PointerScope()) {
      optimizer.zero_grad();
      torch.cross_entropy(net.forward(images), labels).backward();
      optimizer.step();
    }
  }

  @Override
  public void update() {
    ema.update(net);
  }

  @Override
  public void close() {
    ema.close();
    optimizer.close();
    net.close();
  }

  private static final class Net extends Module {
    private final List<Conv2dImpl> convolutions = new ArrayList<>();
    private final List<BatchNorm2dImpl> norms = new ArrayList<>();
    private final LinearImpl head;

    Net(TrainingNet shape) {
      int inputs = TrainingNet.COLORS;
      for (int layer = 0; layer < shape.channels().length(); layer++) {
        int outputs = shape.channels().get(layer);
        Conv2dOptions options =
            new Conv2dOptions(
                inputs, outputs, new LongPointer(TrainingNet.KERNEL, TrainingNet.KERNEL));
        options.stride().put(0, TrainingNet.stride(layer)).put(1, TrainingNet.stride(layer));
        convolutions.add(register_module("convolution" + layer, new Conv2dImpl(options)));
        norms.add(
            register_module("norm" + layer, new BatchNorm2dImpl(new BatchNormOptions(outputs))));
        inputs = outputs;
      }
      head = register_module("head", new LinearImpl(shape.features(), TrainingNet.CLASSES));
    }

    Tensor forward(Tensor images) {
      Tensor hidden = images;
      for (int layer = 0; layer < norms.size(); layer++) {
        hidden = relu(norms.get(layer).forward(convolutions.get(layer).forward(hidden)));
      }
      return head.forward(hidden.flatten(1, -1));
    }
  }
}
