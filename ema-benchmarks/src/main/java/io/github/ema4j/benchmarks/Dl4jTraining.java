package io.github.ema4j.benchmarks;

import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.dl4j.Dl4jAdapter;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** The network in training on DL4J, whose momentum is Nesterov's. */
final class Dl4jTraining implements TrainingFramework.Training {
  private final TrainingNet shape;
  private final MultiLayerNetwork network;
  private final DataSet batch;
  private final ModelEma<MultiLayerNetwork> ema;

  Dl4jTraining(boolean tiny) {
    shape = TrainingNet.of(tiny);
    network = new MultiLayerNetwork(configuration(shape));
    network.init();
    INDArray labels = Nd4j.zeros(DataType.FLOAT, shape.batchSize(), TrainingNet.CLASSES);
    int[] classes = shape.labels();
    for (int i = 0; i < classes.length; i++) {
      labels.putScalar(i, classes[i], 1);
    }
    INDArray images =
        Nd4j.create(
            shape.images(), shape.batchSize(), TrainingNet.COLORS, shape.side(), shape.side());
    batch = new DataSet(images, labels);
    ema =
        ModelEma.builder(Dl4jAdapter.multiLayer())
            .strategy(EmaStrategy.nameMatched(TrainingNet.DECAY))
            .build(network);
  }

  private static MultiLayerConfiguration configuration(TrainingNet shape) {
    NeuralNetConfiguration.ListBuilder layers =
        new NeuralNetConfiguration.Builder()
            .updater(new Nesterovs(TrainingNet.LEARNING_RATE, TrainingNet.MOMENTUM))
            .list();
    for (int layer = 0; layer < shape.channels().length(); layer++) {
      int stride = TrainingNet.stride(layer);
      layers
          .layer(
              new ConvolutionLayer.Builder(TrainingNet.KERNEL, TrainingNet.KERNEL)
                  .stride(stride, stride)
                  .nOut(shape.channels().get(layer))
                  .activation(Activation.IDENTITY)
                  .build())
          .layer(new BatchNormalization.Builder().useLogStd(false).build())
          .layer(new ActivationLayer.Builder().activation(Activation.RELU).build());
    }
    return layers
        .layer(
            new OutputLayer.Builder(LossFunction.MCXENT)
                .activation(Activation.SOFTMAX)
                .nOut(TrainingNet.CLASSES)
                .build())
        .setInputType(InputType.convolutional(shape.side(), shape.side(), TrainingNet.COLORS))
        .build();
  }

  @Override
  public String description() {
    return shape.description();
  }

  @Override
  public void step() {
    network.fit(batch);
  }

  @Override
  public void update() {
    ema.update(network);
  }

  @Override
  public void close() {
    ema.close();
    network.close();
  }
}
