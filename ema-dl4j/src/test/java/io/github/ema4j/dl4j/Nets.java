package io.github.ema4j.dl4j;

import io.github.ema4j.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** Small networks that train, and their weights as Java arrays. */
final class Nets {
  static final int SIDE = 6;
  static final int CLASSES = 3;
  static final int BATCH = 5;
  static final int BATCHES = 4;

  private Nets() {}

  static NeuralNetConfiguration.Builder configuration(int seed) {
    return new NeuralNetConfiguration.Builder().seed(seed).updater(new Adam(0.05));
  }

  /** Convolution, batch norm, dense and output layer. */
  static MultiLayerNetwork network(int seed) {
    return network(configuration(seed));
  }

  static MultiLayerNetwork network(NeuralNetConfiguration.Builder configuration) {
    MultiLayerNetwork network =
        new MultiLayerNetwork(
            configuration
                .list()
                .layer(new ConvolutionLayer.Builder(3, 3).nOut(4).build())
                .layer(new BatchNormalization.Builder().useLogStd(false).build())
                .layer(new DenseLayer.Builder().nOut(7).activation(Activation.TANH).build())
                .layer(output())
                .setInputType(InputType.convolutional(SIDE, SIDE, 1))
                .build());
    network.init();
    return network;
  }

  static OutputLayer output() {
    return new OutputLayer.Builder(LossFunction.MCXENT)
        .nOut(CLASSES)
        .activation(Activation.SOFTMAX)
        .build();
  }

  /** The same, as a graph. */
  static ComputationGraph graph(int seed) {
    return graph(configuration(seed));
  }

  static ComputationGraph graph(NeuralNetConfiguration.Builder configuration) {
    ComputationGraph graph =
        new ComputationGraph(
            configuration
                .graphBuilder()
                .addInputs("pixels")
                .addLayer("conv", new ConvolutionLayer.Builder(3, 3).nOut(4).build(), "pixels")
                .addLayer("norm", new BatchNormalization(), "conv")
                .addLayer("dense", new DenseLayer.Builder().nOut(7).build(), "norm")
                .addLayer("out", output(), "dense")
                .setOutputs("out")
                .setInputTypes(InputType.convolutional(SIDE, SIDE, 1))
                .build());
    graph.init();
    return graph;
  }

  /** A linear layer with a frozen scale, on flat inputs. */
  static SameDiff sameDiff(int seed) {
    SameDiff graph = SameDiff.create();
    SDVariable input = graph.placeHolder("input", DataType.FLOAT, -1, SIDE * SIDE);
    SDVariable label = graph.placeHolder("label", DataType.FLOAT, -1, CLASSES);
    Random random = new Random(seed);
    SDVariable weight = graph.var("weight", gaussian(random, SIDE * SIDE, CLASSES).divi(SIDE));
    SDVariable bias = graph.var("bias", Nd4j.zeros(DataType.FLOAT, CLASSES));
    SDVariable scale = graph.constant("scale", Nd4j.ones(DataType.FLOAT, CLASSES));
    SDVariable logits = input.mmul(weight).add(bias).mul("logits", scale);
    graph.loss.softmaxCrossEntropy("loss", label, logits, null);
    graph.setLossVariables("loss");
    graph.setTrainingConfig(
        new TrainingConfig.Builder()
            .updater(new Adam(0.05))
            .dataSetFeatureMapping("input")
            .dataSetLabelMapping("label")
            .build());
    return graph;
  }

  static INDArray gaussian(Random random, long... shape) {
    INDArray array = Nd4j.createUninitialized(DataType.FLOAT, shape);
    for (long i = 0; i < array.length(); i++) {
      array.putScalar(i, random.nextGaussian());
    }
    return array;
  }

  /** The same examples at each call, in the same batches. */
  static List<DataSet> batches(long... shape) {
    Random random = new Random(1);
    List<DataSet> batches = new ArrayList<>();
    for (int i = 0; i < BATCHES; i++) {
      long[] inputs = new long[shape.length + 1];
      inputs[0] = BATCH;
      System.arraycopy(shape, 0, inputs, 1, shape.length);
      INDArray labels = Nd4j.zeros(DataType.FLOAT, BATCH, CLASSES);
      for (int row = 0; row < BATCH; row++) {
        labels.putScalar(row, random.nextInt(CLASSES), 1);
      }
      batches.add(new DataSet(gaussian(random, inputs), labels));
    }
    return batches;
  }

  static List<DataSet> images() {
    return batches(1, SIDE, SIDE);
  }

  static DataSetIterator iterator(List<DataSet> batches) {
    List<DataSet> examples = new ArrayList<>();
    batches.forEach(batch -> examples.addAll(batch.asList()));
    return new ListDataSetIterator<>(examples, BATCH);
  }

  /** Returns the weights under their names, in row-major order. */
  static Map<String, float[]> weights(Model network) {
    return values(network.paramTable());
  }

  static Map<String, float[]> values(StateDict<?> state) {
    Map<String, INDArray> arrays = new LinkedHashMap<>();
    state.entries().forEach(entry -> arrays.put(entry.name(), (INDArray) entry.tensor()));
    return values(arrays);
  }

  static Map<String, float[]> values(Map<String, INDArray> arrays) {
    Map<String, float[]> values = new LinkedHashMap<>();
    arrays.forEach((name, array) -> values.put(name, array.dup('c').data().asFloat()));
    return values;
  }

  static double[] doubles(float[] values) {
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }
}
