package io.github.ema4j.merge;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.collect.ImmutableList.toImmutableList;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Slot;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What an average of several state dicts consists of: which tensors it has, and what each is the
 * sum of. It holds no tensors, and reads none: {@link Merge} and {@link BlockMerger} do that, on
 * one machine or on many.
 *
 * @param entries the tensors of the result, in its order
 */
public record MergePlan(ImmutableList<Entry> entries) {

  /**
   * One of what is averaged.
   *
   * @param name what to call it in messages, such as {@code file epoch-3.pth}
   * @param weight how much of it is in the average
   * @param state asked for its entries' names and specs, and not kept
   */
  public record Input(String name, double weight, StateDict<?> state) {

    /**
     * Checks the parts.
     *
     * @throws IllegalArgumentException if the weight is not finite
     */
    public Input {
      requireNonNull(name, "name");
      requireNonNull(state, "state");
      checkArgument(
          Double.isFinite(weight), "the weight of %s must be finite, but was %s", name, weight);
    }
  }

  /**
   * One tensor of the result.
   *
   * @param spec its type and shape; row-major, in host memory
   * @param summed whether it is the sum of its weighted terms, or else a copy of its only one
   * @param terms what it consists of, in the order of summation
   */
  public record Entry(
      String name, Role role, TensorSpec spec, boolean summed, ImmutableList<Term> terms) {

    /**
     * Checks the parts.
     *
     * @throws IllegalArgumentException if there is no term, what is summed is not floating-point,
     *     or what is copied has several terms or another type
     */
    public Entry {
      requireNonNull(name, "name");
      requireNonNull(role, "role");
      spec = spec.withDevice(Device.CPU).withRowMajorStrides();
      checkArgument(!terms.isEmpty(), "'%s' has no terms", name);
      for (Term term : terms) {
        boolean fits = summed ? term.type.isFloating() : term.type == spec.type();
        checkArgument(
            fits && (summed ? spec.type().isFloating() : terms.size() == 1),
            "'%s' of type %s cannot be %s %s",
            name,
            spec.type(),
            summed ? "the sum of" : "a copy of",
            terms);
      }
    }

    /** Returns how many bytes its elements have. */
    public long bytes() {
      return spec.bytes();
    }
  }

  /**
   * A tensor of an input, and its weight in a sum.
   *
   * @param input the index of the input
   * @param tensor its name there
   * @param type its type there
   * @param weight of no meaning for a copy
   */
  public record Term(int input, String tensor, ElementType type, double weight) {

    /** Checks that the parts are there. */
    public Term {
      requireNonNull(tensor, "tensor");
      requireNonNull(type, "type");
    }
  }

  /**
   * Plans an average. Entries pair by name, {@code module.} and {@code _orig_mod.} before all names
   * of a state dict aside; the first input says their order, names and types. Floating-point
   * entries are summed, those of an input of weight 0 left out (an infinity times 0 would be NaN);
   * all others are copied from the last input.
   *
   * @throws IllegalArgumentException if there are no inputs, all weights are 0, or the inputs
   *     differ in names, in shapes, or in types but for floating-point ones, with every difference
   */
  public static MergePlan average(List<Input> inputs) {
    checkArgument(!inputs.isEmpty(), "there is nothing to average");
    checkArgument(
        inputs.stream().anyMatch(input -> input.weight != 0), "all inputs have the weight 0");
    Input first = inputs.get(0);
    List<Slot> slots =
        first.state.entries().stream()
            .map(entry -> new Slot(entry.name(), entry.spec(), Treatment.AVERAGE))
            .toList();
    List<List<? extends StateDict.Entry<?>>> matched = new ArrayList<>();
    List<String> differences = new ArrayList<>();
    for (Input input : inputs) {
      try {
        matched.add(matched(slots, first.name, input, input.state));
      } catch (IllegalArgumentException e) {
        differences.add(e.getMessage());
      }
    }
    checkArgument(differences.isEmpty(), "%s", String.join("\n", differences));
    return new MergePlan(
        IntStream.range(0, slots.size())
            .mapToObj(i -> entry(inputs, i, matched))
            .collect(toImmutableList()));
  }

  private static <T> List<StateDict.Entry<T>> matched(
      List<Slot> slots, String own, Input input, StateDict<T> state) {
    return EntryMatcher.match(
        Pairing.NAME_MATCHED, Leeway.TYPE_AND_DEVICE, slots, own, state.entries(), input.name);
  }

  private static Entry entry(
      List<Input> inputs, int index, List<List<? extends StateDict.Entry<?>>> matched) {
    StateDict.Entry<?> first = matched.get(0).get(index);
    boolean summed = first.spec().type().isFloating();
    ImmutableList.Builder<Term> terms = ImmutableList.builder();
    for (int i = 0; i < inputs.size(); i++) {
      StateDict.Entry<?> entry = matched.get(i).get(index);
      double weight = inputs.get(i).weight;
      if (summed ? weight != 0 : i == inputs.size() - 1) {
        terms.add(new Term(i, entry.name(), entry.spec().type(), weight));
      }
    }
    return new Entry(first.name(), first.role(), first.spec(), summed, terms.build());
  }
}
