package io.github.ema4j.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.examples.AddEmaToLibTorch.Batch;
import io.github.ema4j.examples.AddEmaToLibTorch.Net;
import java.util.Collections;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class AddEmaToLibTorchTest {

  @Test
  void trainingEndsWithTheAveragedWeightsInTheNetwork() {
    torch.manual_seed(1);
    torch.set_num_threads(1);
    Net net = new Net(1, 1);
    SGD optimizer = new SGD(net.parameters(), new SGDOptions(0.1));
    float start = weight(net);
    Batch batch =
        new Batch(Tensor.create(1f, 2f).reshape(2, 1), Tensor.create(30f, 60f).reshape(2, 1));

    double evaluated =
        AddEmaToLibTorch.train(
            net, optimizer, Collections.nCopies(50, batch), AddEmaToLibTorchTest::weight);

    // Training reaches a weight near 30; fifty steps move the average by some 5 % of the way.
    assertThat((double) weight(net)).isEqualTo(evaluated).isCloseTo(start + 0.05 * 29, within(0.5));
  }

  private static float weight(Net net) {
    return net.named_parameters().get("linear.weight").item_float();
  }
}
