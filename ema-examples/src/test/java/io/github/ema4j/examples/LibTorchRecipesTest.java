package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.io.MoreFiles;
import io.github.ema4j.examples.AddEmaToLibTorch.Net;
import io.github.ema4j.testkit.GoldenScript;
import java.io.IOException;
import java.nio.file.Path;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@SuppressWarnings("try") // guards are there to be closed
class LibTorchRecipesTest {

  @TempDir private Path folder;

  @Test
  void aScriptIsTrainedAveragedAndSavedAsAScript() throws IOException {
    Path script = folder.resolve("network.pt");
    Path averaged = folder.resolve("averaged.pt");
    GoldenScript.shipped().module().copyTo(MoreFiles.asByteSink(script));
    double[] first = {0}; // of the network's first parameter, after each step
    double[] expected = {first(torch.load(script.toString())).item_double()};

    AverageTorchScript.train(
        script,
        20,
        network -> {
          try (NoGradGuard noGrad = new NoGradGuard()) {
            first[0] = first(network).add_(new Scalar(1.0)).item_double();
          }
          expected[0] = 0.99 * expected[0] + 0.01 * first[0];
        },
        averaged);

    assertThat(first(torch.load(averaged.toString())).item_double())
        .isCloseTo(expected[0], within(1e-5))
        .isNotCloseTo(first[0], within(1.0));
  }

  /** The first element of the first parameter; a view. */
  private static Tensor first(JitModule network) {
    return network.named_parameters().begin().access().value().flatten().narrow(0, 0, 1);
  }

  @Test
  void theEvaluatedNetworkIsTheSuppliedOne() {
    Net net = new Net(2, 1);
    double[] expected = {weight(net)};
    double evaluated =
        AverageWithoutCopy.train(
            net,
            10,
            trained -> {
              try (NoGradGuard noGrad = new NoGradGuard()) {
                trained.named_parameters().get("linear.weight").add_(new Scalar(1.0));
              }
              expected[0] = 0.9 * expected[0] + 0.1 * weight(trained);
            },
            other -> {
              assertThat(other).isNotSameAs(net);
              return weight(other);
            });

    assertThat(evaluated)
        .isCloseTo(expected[0], within(1e-5))
        .isNotCloseTo(weight(net), within(1.0));
  }

  private static double weight(Net net) {
    return net.named_parameters().get("linear.weight").flatten().narrow(0, 0, 1).item_double();
  }
}
