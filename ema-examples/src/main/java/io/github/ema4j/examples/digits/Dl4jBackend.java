package io.github.ema4j.examples.digits;

import io.github.ema4j.AverageListener;
import io.github.ema4j.ModelEma;
import io.github.ema4j.dl4j.Dl4jAdapter;
import io.github.ema4j.dl4j.EmaListener;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** Trains with DL4J on nd4j-native, on the CPU. Its momentum is Nesterov's. */
final class Dl4jBackend implements DemoBackend {

  @Override
  public DemoSession start(DemoConfig config, int side, int classes, AverageListener listener) {
    // Sums must not depend on how many cores a machine has; for images this small more threads are
    // no faster.
    Nd4j.getEnvironment().setMaxMasterThreads(1);
    Nd4j.getEnvironment().setMaxThreads(1);
    Nd4j.getNDArrayFactory().blas().setMaxThreads(1);
    MultiLayerNetwork network = new MultiLayerNetwork(configuration(config, side, classes));
    network.init();
    try {
      EmaListener<MultiLayerNetwork> updating =
          new EmaListener<>(
              network,
              ModelEma.builder(Dl4jAdapter.multiLayer()).config(config.ema()).listener(listener));
      network.addListeners(updating);
      return new Dl4jSession(network, updating, classes);
    } catch (IllegalArgumentException | UnsupportedOperationException e) {
      network.close();
      throw new InputException(
          "backend dl4j cannot average as ema.average says: " + e.getMessage(), e);
    }
  }

  private static MultiLayerConfiguration configuration(DemoConfig config, int side, int classes) {
    return new NeuralNetConfiguration.Builder()
        .seed(config.seed())
        .updater(new Nesterovs(config.learningRate(), MOMENTUM))
        .weightInit(WeightInit.UNIFORM) // plus and minus 1 / sqrt(inputs)
        .list()
        .layer(convolution(FIRST_CHANNELS))
        .layer(norm())
        .layer(relu())
        .layer(convolution(SECOND_CHANNELS))
        .layer(norm())
        .layer(relu())
        .layer(
            new OutputLayer.Builder(LossFunction.MCXENT)
                .activation(Activation.SOFTMAX)
                .nOut(classes)
                .build())
        .setInputType(InputType.convolutional(side, side, 1))
        .build();
  }

  private static ConvolutionLayer convolution(int channels) {
    return new ConvolutionLayer.Builder(3, 3)
        .nOut(channels)
        .activation(Activation.IDENTITY)
        .build();
  }

  private static BatchNormalization norm() {
    return new BatchNormalization.Builder().useLogStd(false).build();
  }

  private static ActivationLayer relu() {
    return new ActivationLayer.Builder().activation(Activation.RELU).build();
  }
}
