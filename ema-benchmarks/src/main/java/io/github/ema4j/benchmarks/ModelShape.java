package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.TensorBackend;
import java.util.Collections;
import java.util.List;

/** The tensors of a model, without their names and values: its parameters. */
record ModelShape(String label, ImmutableList<ImmutableLongArray> tensors) {
  private static final int VIT_WIDTH = 768;
  private static final int VIT_DEPTH = 12;

  /** For smoke runs: so many tensors of a model, each no longer than that. */
  private static final int FEW = 5;

  private static final long SHORT = 1_000;

  /** Returns all models that are averaged. */
  static ImmutableList<ModelShape> all() {
    return ImmutableList.of(resNet50(), vitB(), flat(), small());
  }

  /** Returns the 161 of a ResNet-50 (He et al., 2015) with 1,000 classes. */
  static ModelShape resNet50() {
    Tensors tensors = new Tensors().convolution(3, 64, 7);
    int inputs = 64;
    int[] blocks = {3, 4, 6, 3};
    for (int stage = 0; stage < blocks.length; stage++) {
      int width = 64 << stage;
      for (int block = 0; block < blocks[stage]; block++) {
        tensors.convolution(inputs, width, 1).convolution(width, width, 3);
        tensors.convolution(width, 4L * width, 1);
        if (block == 0) {
          tensors.convolution(inputs, 4L * width, 1);
        }
        inputs = 4 * width;
      }
    }
    return tensors.linear(inputs, 1_000).named("ResNet-50");
  }

  /** Returns the 152 of a ViT-B/16 (Dosovitskiy et al., 2020) with 1,000 classes. */
  static ModelShape vitB() {
    Tensors tensors = new Tensors().add(1, 1, VIT_WIDTH).add(1, 197, VIT_WIDTH);
    tensors.add(VIT_WIDTH, 3, 16, 16).add(VIT_WIDTH);
    for (int block = 0; block < VIT_DEPTH; block++) {
      tensors.norm(VIT_WIDTH).linear(VIT_WIDTH, 3 * VIT_WIDTH).linear(VIT_WIDTH, VIT_WIDTH);
      tensors.norm(VIT_WIDTH).linear(VIT_WIDTH, 4 * VIT_WIDTH).linear(4 * VIT_WIDTH, VIT_WIDTH);
    }
    return tensors.norm(VIT_WIDTH).linear(VIT_WIDTH, 1_000).named("ViT-B");
  }

  /** Returns as many parameters as a ResNet-50 has, in one vector. */
  static ModelShape flat() {
    return new Tensors().add(resNet50().parameters()).named("one vector");
  }

  /** Returns 10,000 tensors of 64 elements. */
  static ModelShape small() {
    return equal("10,000 x 64", 10_000, 64);
  }

  /** Returns tensors of equal length. */
  static ModelShape equal(String label, int count, long length) {
    return new ModelShape(
        label, ImmutableList.copyOf(Collections.nCopies(count, ImmutableLongArray.of(length))));
  }

  /** Returns the beginning of this model, for smoke runs. */
  ModelShape shortened() {
    return new ModelShape(
        label,
        tensors.stream()
            .limit(FEW)
            .map(shape -> ImmutableLongArray.of(Math.min(SHORT, elements(shape))))
            .collect(ImmutableList.toImmutableList()));
  }

  /** Returns how many parameters there are in all. */
  long parameters() {
    return tensors.stream().mapToLong(ModelShape::elements).sum();
  }

  /** Describes the tensors, row-major and on the CPU. */
  List<TensorSpec> specs(ElementType type) {
    return tensors.stream().map(shape -> TensorSpec.contiguous(type, shape.toArray())).toList();
  }

  /** Allocates the tensors, and gives them values that the seed decides. */
  <T> List<T> tensors(TensorBackend<T> backend, ElementType type, long seed) {
    List<TensorSpec> specs = specs(type);
    List<T> tensors = backend.allocate(specs);
    Values values = new Values(seed);
    for (int i = 0; i < tensors.size(); i++) {
      values.fill(backend.memory(tensors.get(i)), type, specs.get(i).elements());
    }
    return tensors;
  }

  private static long elements(ImmutableLongArray shape) {
    return shape.stream().reduce(1, (a, b) -> a * b);
  }

  /** Collects tensors layer by layer. */
  private static final class Tensors {
    private final ImmutableList.Builder<ImmutableLongArray> tensors = ImmutableList.builder();

    Tensors add(long... shape) {
      tensors.add(ImmutableLongArray.copyOf(shape));
      return this;
    }

    /** Adds weights without bias, and the batch norm that follows. */
    Tensors convolution(long inputs, long outputs, long kernel) {
      return add(outputs, inputs, kernel, kernel).norm(outputs);
    }

    Tensors norm(long width) {
      return add(width).add(width);
    }

    Tensors linear(long inputs, long outputs) {
      return add(outputs, inputs).add(outputs);
    }

    ModelShape named(String label) {
      return new ModelShape(label, tensors.build());
    }
  }
}
