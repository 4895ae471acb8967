package io.github.ema4j.examples.digits;

import static org.bytedeco.pytorch.global.torch.relu;

import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.BatchNorm2dImpl;
import org.bytedeco.pytorch.BatchNormOptions;
import org.bytedeco.pytorch.Conv2dImpl;
import org.bytedeco.pytorch.Conv2dOptions;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

/** The network of {@link DemoBackend}; LibTorch draws initial weights as that says by itself. */
final class LibTorchNet extends Module {
  private static final int KERNEL = 3;

  private final Conv2dImpl first;
  private final BatchNorm2dImpl firstNorm;
  private final Conv2dImpl second;
  private final BatchNorm2dImpl secondNorm;
  private final LinearImpl head;

  LibTorchNet(int side, int classes) {
    first = register_module("first", convolution(1, DemoBackend.FIRST_CHANNELS));
    firstNorm =
        register_module(
            "first_norm", new BatchNorm2dImpl(new BatchNormOptions(DemoBackend.FIRST_CHANNELS)));
    second =
        register_module(
            "second", convolution(DemoBackend.FIRST_CHANNELS, DemoBackend.SECOND_CHANNELS));
    secondNorm =
        register_module(
            "second_norm", new BatchNorm2dImpl(new BatchNormOptions(DemoBackend.SECOND_CHANNELS)));
    int left = side - 2 * (KERNEL - 1);
    head =
        register_module(
            "head", new LinearImpl((long) DemoBackend.SECOND_CHANNELS * left * left, classes));
  }

  private static Conv2dImpl convolution(int inputs, int outputs) {
    return new Conv2dImpl(new Conv2dOptions(inputs, outputs, new LongPointer(KERNEL, KERNEL)));
  }

  /** Returns a logit for each image and class. */
  Tensor forward(Tensor images) {
    Tensor lower = relu(firstNorm.forward(first.forward(images)));
    Tensor upper = relu(secondNorm.forward(second.forward(lower)));
    return head.forward(upper.flatten(1, -1));
  }
}
