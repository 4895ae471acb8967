package io.github.ema4j.examples.digits;

import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.torch.TorchAdapter;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A LibTorch network in training. All tensors of a batch are freed with it. */
@SuppressWarnings("try") // scopes, guards and swaps are open for as long as they are not closed
final class LibTorchSession implements DemoSession {
  /** So many images are evaluated at once: enough to be fast, few enough for large images. */
  private static final int EVALUATION_BATCH = 256;

  private final LibTorchNet net;
  private final ModelEma<LibTorchNet> ema;
  private final SGD optimizer;

  /** Takes network and average over. */
  LibTorchSession(LibTorchNet net, ModelEma<LibTorchNet> ema, double learningRate) {
    this.net = net;
    this.ema = ema;
    SGDOptions options = new SGDOptions(learningRate);
    options.momentum().put(DemoBackend.MOMENTUM);
    optimizer = new SGD(net.parameters(), options);
  }

  @Override
  public double train(Images batch) {
    try (PointerScope scope = new PointerScope()) {
      net.train(true);
      optimizer.zero_grad();
      Tensor loss = torch.cross_entropy(net.forward(pixels(batch)), labels(batch));
      loss.backward();
      optimizer.step();
      ema.update(net);
      return loss.item_float();
    }
  }

  @Override
  public double accuracy(Images images) {
    long right = 0;
    net.eval();
    for (Images batch : images.batches(EVALUATION_BATCH)) {
      try (PointerScope scope = new PointerScope();
          NoGradGuard guard = new NoGradGuard()) {
        Tensor classes = net.forward(pixels(batch)).argmax(new LongOptional(1), false);
        right += classes.eq(labels(batch)).sum().item_long();
      }
    }
    return (double) right / images.size();
  }

  @Override
  public double averagedAccuracy(Images images) {
    try (Swap swap = ema.swapInto(net)) {
      return accuracy(images);
    }
  }

  private static Tensor pixels(Images images) {
    int side = images.side();
    return Tensor.create(images.pixels(), images.size(), 1, side, side);
  }

  private static Tensor labels(Images images) {
    return Tensor.create(images.labels(), images.size()).to(ScalarType.Long);
  }

  @Override
  public DemoTrial<?> trial(double... decays) {
    return DemoTrial.of(TorchAdapter.of(LibTorchNet.class), net, this::accuracy, decays);
  }

  @Override
  public void close() {
    ema.close();
    optimizer.close();
    net.close();
  }
}
