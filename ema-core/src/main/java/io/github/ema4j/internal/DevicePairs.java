package io.github.ema4j.internal;

import static com.google.common.base.Verify.verify;

import com.google.common.collect.ImmutableListMultimap;
import com.google.common.collect.Multimaps;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.TensorPairs.PairConsumer;
import io.github.ema4j.internal.TensorPairs.Tensors;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The pairs of which a tensor lies outside host memory. The framework's own operations work on
 * them, a call for all that have the same types and devices; what differs in type or device from
 * its average is copied to it first, into memory that stays until {@link #release}.
 */
final class DevicePairs<L, R> {
  private final List<Tensors<L>> lefts;
  private final Tensors<R> right;
  private final List<TensorPair<L, R>> pairs;
  private final HostKernel kernel;
  private final List<TensorPair<L, R>> others;
  private final List<Group<L, R>> groups;

  /** What the tensors of a group have in common. */
  private record Kind(
      ElementType leftType, Device leftDevice, ElementType rightType, Device rightDevice) {

    static Kind of(TensorPair<?, ?> pair) {
      TensorSpec left = pair.lefts().get(0).spec();
      TensorSpec right = pair.right().spec();
      return new Kind(left.type(), left.device(), right.type(), right.device());
    }

    boolean isAlike() {
      return leftType == rightType && leftDevice.equals(rightDevice);
    }
  }

  /** Pairs that are averaged together. */
  private static final class Group<L, R> {
    final Kind kind;
    final List<TensorPair<L, R>> pairs;
    @Nullable List<L> staged;

    Group(Kind kind, List<TensorPair<L, R>> pairs) {
      this.kind = kind;
      this.pairs = pairs;
    }

    /** Returns how a tensor is staged: as the host kernel reads it, or as its average lies. */
    TensorSpec stagedSpec(TensorPair<L, R> pair) {
      TensorSpec spec = pair.right().spec().withDevice(kind.leftDevice);
      TensorSpec typed = kind.leftDevice.isCpu() ? spec : spec.withType(kind.leftType);
      return typed.isDense() ? typed : typed.withRowMajorStrides();
    }
  }

  DevicePairs(
      List<Tensors<L>> lefts, Tensors<R> right, List<TensorPair<L, R>> pairs, HostKernel kernel) {
    this.lefts = lefts;
    this.right = right;
    this.pairs = pairs;
    this.kernel = kernel;
    others = pairs.stream().filter(pair -> pair.treatment() != Treatment.AVERAGE).toList();
    ImmutableListMultimap<Kind, TensorPair<L, R>> averaged =
        Multimaps.index(
            pairs.stream().filter(pair -> pair.treatment() == Treatment.AVERAGE).iterator(),
            Kind::of);
    groups = averaged.keySet().stream().map(kind -> new Group<>(kind, averaged.get(kind))).toList();
  }

  /**
   * Checks that all tensors are live.
   *
   * @throws IllegalStateException if one is closed or released, naming it
   */
  void checkLive() {
    for (int i = 0; i < pairs.size(); i++) {
      TensorPair<L, R> pair = pairs.get(i);
      for (int k = 0; k < lefts.size(); k++) {
        lefts.get(k).checkLive(pair.lefts().get(k));
      }
      right.checkLive(pair.right());
    }
  }

  /**
   * Returns the name of the first entry on the right that has NaN or infinity.
   *
   * @param everywhere whether to look outside host memory too, and wait for the device
   */
  Optional<String> nonFiniteEntry(boolean everywhere) {
    if (pairs.isEmpty()) {
      return Optional.empty();
    }
    return pairs.stream()
        .map(TensorPair::right)
        .filter(entry -> entry.spec().type().isFloating())
        .filter(entry -> (everywhere || right.isInHostMemory(entry)) && !isFinite(entry))
        .map(Entry::name)
        .findFirst();
  }

  private boolean isFinite(Entry<R> entry) {
    if (right.isInHostMemory(entry)) {
      TensorSpec spec = entry.spec();
      LoopNest nest = LoopNest.over(spec.shape(), spec.strides(), spec.strides());
      return kernel.isFinite(right.memory(entry, null), spec.type(), nest);
    }
    return deviceBackend(right.backend()).isFinite(entry.tensor());
  }

  /** Averages what has been staged. */
  void average(Blend blend) {
    for (int i = 0; i < groups.size(); i++) {
      Group<L, R> group = groups.get(i);
      List<L> models = models(group);
      if (group.kind.leftDevice.isCpu()) {
        averageOnHost(group, models, blend);
      } else {
        averageOnDevice(group, models, blend);
      }
    }
  }

  private void averageOnHost(Group<L, R> group, List<L> models, Blend blend) {
    TensorBackend<L> backend = lefts.get(0).backend();
    for (int i = 0; i < models.size(); i++) {
      TensorPair<L, R> pair = group.pairs.get(i);
      HostMemory[] averages = new HostMemory[lefts.size()];
      for (int k = 0; k < averages.length; k++) {
        averages[k] = lefts.get(k).memory(pair.lefts().get(k), null);
      }
      TensorSpec spec = pair.lefts().get(0).spec();
      TensorSpec staged = backend.describe(models.get(i));
      kernel.average(
          averages,
          spec.type(),
          backend.memory(models.get(i)),
          staged.type(),
          LoopNest.over(spec.shape(), spec.strides(), staged.strides()),
          blend);
    }
  }

  private void averageOnDevice(Group<L, R> group, List<L> models, Blend blend) {
    DeviceBackend<L> backend = deviceBackend(lefts.get(0).backend());
    boolean lerp = blend.rule() == AveragingRule.LERP && group.kind.leftType.isFloating();
    for (int k = 0; k < lefts.size(); k++) {
      List<L> averages = lefts(group.pairs, k);
      if (lerp) {
        backend.lerp(averages, models, blend.weight(k));
      } else {
        backend.weightedSum(averages, models, blend.decay(k), blend.weight(k));
      }
    }
  }

  /**
   * Copies to the averages' device what is not there, or has another type. The last thing that can
   * fail for want of memory: no average has been written.
   */
  void stage() {
    for (int i = 0; i < groups.size(); i++) {
      Group<L, R> group = groups.get(i);
      if (!group.kind.isAlike()) {
        DeviceBackend<L> backend = deviceBackend(lefts.get(0).backend());
        if (group.staged == null) {
          group.staged = backend.allocate(group.pairs.stream().map(group::stagedSpec).toList());
        }
        backend.copy(group.staged, originals(group));
      }
    }
  }

  private List<L> models(Group<L, R> group) {
    return group.staged == null ? originals(group) : group.staged;
  }

  @SuppressWarnings("unchecked") // one backend has one tensor type
  private List<L> originals(Group<L, R> group) {
    verify(isOneBackend(), "averages and models are of one backend");
    return (List<L>) rights(group.pairs);
  }

  void copy() {
    copy(pairs);
  }

  /** Copies the pairs that are not averaged. */
  void copyOthers() {
    copy(others);
  }

  private void copy(List<TensorPair<L, R>> some) {
    if (some.isEmpty()) {
      return;
    }
    if (!isOneBackend()) {
      some.forEach(this::copyThroughHost);
      return;
    }
    @SuppressWarnings("unchecked") // one backend has one tensor type
    List<L> from = (List<L>) rights(some);
    for (int k = 0; k < lefts.size(); k++) {
      deviceBackend(lefts.get(0).backend()).copy(lefts(some, k), from);
    }
  }

  /** Copies from one backend to another, by way of host memory. */
  private void copyThroughHost(TensorPair<L, R> pair) {
    HostSide<R> source = HostSide.of(right, pair.right());
    try {
      source.fetch();
      for (int k = 0; k < lefts.size(); k++) {
        HostSide<L> target = HostSide.of(lefts.get(k), pair.lefts().get(k));
        try {
          kernel.copy(
              target.memory(),
              target.spec().type(),
              source.memory(),
              source.spec().type(),
              LoopNest.over(
                  source.spec().shape(), target.spec().strides(), source.spec().strides()));
          target.writeBack();
        } finally {
          target.release();
        }
      }
    } finally {
      source.release();
    }
  }

  /** Calls a function with the pairs that are averaged. */
  void apply(PairConsumer<L, R> function) {
    groups.forEach(group -> group.pairs.forEach(pair -> pair.apply(function)));
  }

  /** Frees what was staged. */
  void release() {
    for (Group<L, R> group : groups) {
      if (group.staged != null) {
        lefts.get(0).backend().release(group.staged);
        group.staged = null;
      }
    }
  }

  private boolean isOneBackend() {
    return (Object) lefts.get(0).backend() == right.backend();
  }

  private static <L> List<L> lefts(List<? extends TensorPair<L, ?>> pairs, int index) {
    return pairs.stream().map(pair -> pair.lefts().get(index).tensor()).toList();
  }

  private static <R> List<R> rights(List<? extends TensorPair<?, R>> pairs) {
    return pairs.stream().map(pair -> pair.right().tensor()).toList();
  }

  private static <T> DeviceBackend<T> deviceBackend(TensorBackend<T> backend) {
    return (DeviceBackend<T>) backend; // or the tensor would be in host memory
  }
}
