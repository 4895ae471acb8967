package io.github.ema4j.spark;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.Longs;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.StreamedShard;
import io.github.ema4j.merge.MergePlan;
import java.io.Serializable;
import java.nio.ByteOrder;

/**
 * All that a task is sent: one file of the result, and where the tensors are that its own are sums
 * of.
 *
 * @param number of the file, from 0
 */
record ShardTask(int number, ImmutableList<Tensor> tensors) implements Serializable {

  /**
   * A tensor of the result.
   *
   * @param summed whether it is the sum of its weighted terms, or else a copy of its only one
   */
  record Tensor(
      String name,
      Role role,
      ElementType type,
      ImmutableList<Long> shape,
      boolean summed,
      ImmutableList<Term> terms)
      implements Serializable {

    TensorSpec spec() {
      return TensorSpec.contiguous(type, Longs.toArray(shape));
    }

    /** Returns what the arithmetic takes; which inputs the terms are of is of no meaning in it. */
    MergePlan.Entry entry() {
      ImmutableList.Builder<MergePlan.Term> all = ImmutableList.builder();
      terms.forEach(term -> all.add(new MergePlan.Term(0, name, term.type, term.weight)));
      return new MergePlan.Entry(name, role, spec(), summed, all.build());
    }

    /** Returns how many bytes an element and those that it is made of take. */
    int bytesPerElement() {
      return type.bytes() + terms.stream().mapToInt(term -> term.type.bytes()).sum();
    }
  }

  /**
   * A tensor of an input.
   *
   * @param file the index of the file that it lies in
   * @param offset its first byte there
   * @param bigEndian the order of the bytes of an element
   * @param weight what it is multiplied by in a sum
   */
  record Term(int file, long offset, boolean bigEndian, ElementType type, double weight)
      implements Serializable {

    ByteOrder order() {
      return bigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    FileTensor in(HadoopSource source, TensorSpec spec) {
      return FileTensor.at(
          source, offset, order(), TensorSpec.contiguous(type, spec.shape().toArray()));
    }
  }

  /** Returns the file's layout. */
  StreamedShard layout() {
    return new StreamedShard(
        tensors.stream().map(tensor -> new StreamedShard.Item(tensor.name, tensor.spec())).toList(),
        ImmutableMap.of());
  }
}
