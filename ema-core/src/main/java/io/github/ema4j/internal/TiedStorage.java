package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.Storage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;

/** Finds tensors that share memory within one state dict, or between two. */
final class TiedStorage {

  /** A tensor as far as sharing goes. */
  record Region(String name, TensorSpec spec, Storage storage) {
    private boolean isTiedTo(Region other) {
      return storage.isSameAs(other.storage)
          && spec.type() == other.spec.type()
          && spec.shape().equals(other.spec.shape())
          && spec.strides().equals(other.spec.strides());
    }
  }

  private TiedStorage() {}

  /**
   * Returns for each region the index of the first one that is tied to it: its own where it is the
   * first or alone.
   *
   * @throws IllegalArgumentException if regions overlap without being the same, naming two
   */
  static int[] firstOfEach(List<Region> regions) {
    int[] first = new int[regions.size()];
    for (List<Integer> neighbours : byPosition(regions)) {
      int widest = -1;
      for (int index : neighbours) {
        first[index] = index;
        Region region = regions.get(index);
        if (widest >= 0 && regions.get(widest).storage.overlaps(region.storage)) {
          Region earlier = regions.get(widest);
          checkArgument(
              earlier.isTiedTo(region),
              "'%s' and '%s' share memory, or lie interleaved in it, without being the same tensor;"
                  + " clone one of them",
              earlier.name,
              region.name);
          first[index] = first[widest];
        }
        if (widest < 0 || end(region) > end(regions.get(widest))) {
          widest = index;
        }
      }
    }
    return first;
  }

  /**
   * Checks that no region of one list shares memory with one of the other.
   *
   * @throws IllegalArgumentException if there is one, naming both entries
   */
  static void checkApart(
      String firstOwner, List<Region> firsts, String secondOwner, List<Region> seconds) {
    List<Region> all = new ArrayList<>(firsts);
    all.addAll(seconds);
    for (List<Integer> neighbours : byPosition(all)) {
      int[] widest = {-1, -1};
      for (int index : neighbours) {
        int side = index < firsts.size() ? 0 : 1;
        int other = widest[1 - side];
        if (other >= 0 && all.get(other).storage.overlaps(all.get(index).storage)) {
          Region first = all.get(side == 0 ? index : other);
          Region second = all.get(side == 0 ? other : index);
          throw new IllegalArgumentException(
              String.format(
                  "'%s' of the %s shares memory with '%s' of the %s; each needs memory of its own",
                  first.name, firstOwner, second.name, secondOwner));
        }
        if (widest[side] < 0 || end(all.get(index)) > end(all.get(widest[side]))) {
          widest[side] = index;
        }
      }
    }
  }

  private static long end(Region region) {
    return region.storage.begin() + region.storage.bytes();
  }

  /** Groups indices by memory space, each group in order of address, ties in the given order. */
  private static List<List<Integer>> byPosition(List<Region> regions) {
    IdentityHashMap<Object, List<Integer>> bySpace = new IdentityHashMap<>();
    List<List<Integer>> groups = new ArrayList<>(); // so that messages name the first of several
    for (int i = 0; i < regions.size(); i++) {
      bySpace
          .computeIfAbsent(
              regions.get(i).storage.space(),
              space -> {
                groups.add(new ArrayList<>());
                return groups.get(groups.size() - 1);
              })
          .add(i);
    }
    Comparator<Integer> byAddress =
        Comparator.comparingLong(index -> regions.get(index).storage.begin());
    groups.forEach(group -> group.sort(byAddress));
    return groups;
  }
}
