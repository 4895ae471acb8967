package io.github.ema4j.spark;

import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.merge.Merge;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/** Checkpoints to be averaged, and what one machine makes of them. */
final class Checkpoints {

  private Checkpoints() {}

  /** Writes three checkpoints of one model, each in another form, and returns where they are. */
  static List<String> write(Path folder, long seed, int elements) throws IOException {
    Path one = folder.resolve("one.safetensors");
    TensorFile.write(one, model(new Random(seed), elements), Map.of());
    Path index =
        TensorFile.writeShards(
            folder.resolve("two.safetensors"),
            model(new Random(seed + 1), elements),
            Map.of(),
            4L * elements);
    Path three = folder.resolve("three.pth");
    PthWriter.of(PthLayout.PLAIN).model(model(new Random(seed + 2), elements)).write(three);
    return List.of(one.toString(), index.toString(), three.toString());
  }

  private static StateDict<ArrayTensor> model(Random random, int elements) {
    float[] floats = new float[elements];
    double[] doubles = new double[elements];
    short[] halves = new short[elements];
    short[] brains = new short[elements];
    for (int i = 0; i < elements; i++) {
      floats[i] = (float) random.nextGaussian();
      doubles[i] = random.nextGaussian();
      halves[i] = (short) (random.nextInt(0x7800) | random.nextInt(2) << 15); // finite
      brains[i] = (short) (Float.floatToIntBits((float) random.nextGaussian()) >> 16);
    }
    return StateDict.builder(ArrayBackend.instance())
        .counter("steps", ArrayTensor.of(new long[] {random.nextInt()}))
        .parameter("floats", ArrayTensor.of(floats, 2, elements / 2))
        .parameter("halves", ArrayTensor.of(ElementType.F16, halves, elements))
        .parameter("scalar", ArrayTensor.of(new float[] {random.nextFloat()}))
        .parameter("brains", ArrayTensor.of(ElementType.BF16, brains, elements))
        .parameter("none", ArrayTensor.of(new float[0], 0, 3))
        .statistic("doubles", ArrayTensor.of(doubles, elements))
        .build();
  }

  /** Averages on this machine alone. */
  static Path average(List<String> files, double[] weights, Path output) throws IOException {
    List<Checkpoint> open = new ArrayList<>();
    try {
      List<MergePlan.Input> inputs = new ArrayList<>();
      List<StateDict<FileTensor>> states = new ArrayList<>();
      for (String file : files) {
        open.add(Checkpoint.open(Path.of(file)));
        states.add(open.get(states.size()).weights("model"));
        inputs.add(
            new MergePlan.Input(file, weights[inputs.size()], states.get(states.size() - 1)));
      }
      TensorFile.write(output, Merge.stateDict(MergePlan.average(inputs), states), Map.of());
      return output;
    } finally {
      open.forEach(Checkpoint::close);
    }
  }

  /** Returns type, shape and bytes of all tensors by name, in their order. */
  static Map<String, Tensor> content(Path path) throws IOException {
    Map<String, Tensor> content = new LinkedHashMap<>();
    try (TensorFile file = TensorFile.open(path)) {
      file.verify();
      file.tensors()
          .forEach(
              (name, tensor) -> {
                int bytes = (int) (tensor.spec().elements() * tensor.spec().type().bytes());
                ByteBuffer all = ByteBuffer.allocate(bytes);
                tensor.read(0, all);
                content.put(name, new Tensor(tensor.spec().toString(), all.flip()));
              });
    }
    return content;
  }

  /** What is compared of a tensor. */
  record Tensor(String spec, ByteBuffer bytes) {}

  /** Returns the names of a folder's files. */
  static List<String> names(Path folder) throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.map(path -> path.getFileName().toString()).sorted().toList();
    }
  }
}
