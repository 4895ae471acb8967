package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;
import static org.bytedeco.pytorch.global.torch.mse_loss;

import io.github.ema4j.ModelEma;
import io.github.ema4j.Swap;
import io.github.ema4j.torch.TorchAdapter;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.Tensor;

/** An ordinary training loop on LibTorch, with an average beside it. */
public final class AddEmaToLibTorch {

  private AddEmaToLibTorch() {}

  /** A network, as written for the JavaCPP presets. */
  static final class Net extends Module {
    private final LinearImpl linear;

    Net(long inputs, long outputs) {
      linear = register_module("linear", new LinearImpl(inputs, outputs));
    }

    Tensor forward(Tensor inputs) {
      return linear.forward(inputs);
    }
  }

  /** Inputs and what they should give. */
  record Batch(Tensor inputs, Tensor labels) {}

  /**
   * Trains a network, leaves the averaged weights in it, and returns what an evaluation of these
   * said.
   */
  @SuppressWarnings("try") // scopes and swaps are there to be closed
  static double train(
      Net net, Optimizer optimizer, List<Batch> batches, ToDoubleFunction<Net> evaluation) {
    // tag::libtorch[]
    double score;
    try (ModelEma<Net> ema =
        ModelEma.builder(TorchAdapter.of(Net.class)).strategy(nameMatched(0.999)).build(net)) {
      for (Batch batch : batches) {
        try (PointerScope temporaries = new PointerScope()) {
          optimizer.zero_grad();
          mse_loss(net.forward(batch.inputs()), batch.labels()).backward();
          optimizer.step();
          ema.update(net); // after the step
        }
      }
      try (Swap swap = ema.swapInto(net)) {
        score = evaluation.applyAsDouble(net); // on the averaged weights
      } // the network has its own weights again
      ema.copyTo(net); // for release: the averaged ones
    }
    // end::libtorch[]
    return score;
  }
}
