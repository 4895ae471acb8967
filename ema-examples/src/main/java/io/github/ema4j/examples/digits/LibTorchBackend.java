package io.github.ema4j.examples.digits;

import io.github.ema4j.AverageListener;
import io.github.ema4j.ModelEma;
import io.github.ema4j.torch.TorchAdapter;
import org.bytedeco.pytorch.global.torch;

/** Trains with the JavaCPP presets of LibTorch, on the CPU. */
final class LibTorchBackend implements DemoBackend {

  @Override
  public DemoSession start(DemoConfig config, int side, int classes, AverageListener listener) {
    // Sums must not depend on how many cores a machine has; for images this small more threads are
    // no faster.
    torch.set_num_threads(1);
    torch.manual_seed(config.seed());
    LibTorchNet net = new LibTorchNet(side, classes);
    try {
      ModelEma<LibTorchNet> ema =
          ModelEma.builder(TorchAdapter.of(LibTorchNet.class))
              .config(config.ema())
              .listener(listener)
              .build(net);
      return new LibTorchSession(net, ema, config.learningRate());
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      net.close();
      throw new InputException(
          "backend torch cannot average as ema.average says: " + e.getMessage(), e);
    }
  }
}
