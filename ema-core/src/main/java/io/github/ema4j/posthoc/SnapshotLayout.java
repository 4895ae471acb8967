package io.github.ema4j.posthoc;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.Treatment;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What all snapshots have in common: their entries, in the order of the first snapshot's.
 *
 * @param places the entries; those that are tied follow the one that they are tied to
 */
record SnapshotLayout(ImmutableList<Place> places) {

  /**
   * An entry of every snapshot.
   *
   * @param spec what its tensor looks like there, row-major
   * @param combined whether it is a sum over the snapshots, or else copied
   * @param first the index of the first entry that it is tied to; its own if it is tied to none
   */
  record Place(String name, Role role, TensorSpec spec, boolean combined, int first) {}

  /**
   * Lays out the entries of a first snapshot.
   *
   * @param kept those that the policy does not skip
   */
  static <T> SnapshotLayout of(EntryPolicy policy, TensorBackend<T> backend, List<Entry<T>> kept) {
    ImmutableList.Builder<Place> places = ImmutableList.builder();
    Map<Object, Integer> seen = new HashMap<>();
    for (int i = 0; i < kept.size(); i++) {
      Entry<T> entry = kept.get(i);
      TensorSpec spec = entry.spec();
      boolean sum = isCombined(policy, entry);
      Integer tied = seen.putIfAbsent(List.of(backend.storage(entry.tensor()), spec, sum), i);
      ElementType type = sum ? ElementType.F32 : spec.type();
      places.add(
          new Place(
              entry.name(),
              entry.role(),
              TensorSpec.contiguous(type, spec.shape().toArray()),
              sum,
              tied == null ? i : tied));
    }
    return new SnapshotLayout(places.build());
  }

  /** Returns what a policy does with an entry. */
  static Treatment treatment(EntryPolicy policy, Entry<?> entry) {
    return policy.treatment(entry.name(), entry.role(), entry.spec().type());
  }

  private static boolean isCombined(EntryPolicy policy, Entry<?> entry) {
    return treatment(policy, entry) == Treatment.AVERAGE && entry.spec().type().isFloating();
  }

  /** Returns what the tensors look like, tied ones once. */
  List<TensorSpec> specs() {
    List<TensorSpec> specs = new ArrayList<>();
    for (int i = 0; i < places.size(); i++) {
      if (places.get(i).first == i) {
        specs.add(places.get(i).spec);
      }
    }
    return specs;
  }

  /** Returns how many bytes the tensors of one snapshot have, tied ones once. */
  long bytes() {
    return specs().stream().mapToLong(TensorSpec::bytes).sum();
  }

  /**
   * Returns entries with given tensors.
   *
   * @param tensors one for each of the {@link #specs}
   */
  <T> List<Entry<T>> entries(List<T> tensors) {
    List<Entry<T>> entries = new ArrayList<>();
    int next = 0;
    for (int i = 0; i < places.size(); i++) {
      Place place = places.get(i);
      T tensor = place.first == i ? tensors.get(next++) : entries.get(place.first).tensor();
      entries.add(new Entry<>(place.name, tensor, place.spec, place.role));
    }
    return entries;
  }

  /**
   * Returns the entries of another snapshot in this order.
   *
   * @param kept those that the policy does not skip
   * @throws IllegalArgumentException if they are not the same, with every difference, or the policy
   *     treats one in another way
   */
  <T> List<Entry<T>> inOrder(EntryPolicy policy, List<Entry<T>> kept) {
    List<Slot> slots =
        kept.stream()
            .map(entry -> new Slot(entry.name(), entry.spec(), treatment(policy, entry)))
            .toList();
    List<Entry<Place>> own =
        places.stream()
            .map(place -> new Entry<>(place.name, place, place.spec, place.role))
            .toList();
    List<Entry<Place>> matched =
        EntryMatcher.match(
            Pairing.NAME_MATCHED, Leeway.TYPE_AND_DEVICE, slots, own, "first snapshot");
    Map<String, Entry<T>> byName = new HashMap<>();
    for (int i = 0; i < kept.size(); i++) {
      byName.put(matched.get(i).name(), kept.get(i));
    }
    return places.stream().map(place -> alike(policy, place, byName)).toList();
  }

  private static <T> Entry<T> alike(EntryPolicy policy, Place place, Map<String, Entry<T>> byName) {
    Entry<T> entry = requireNonNull(byName.get(place.name), place.name);
    checkArgument(
        isCombined(policy, entry) == place.combined,
        "'%s' was %s in the first snapshot, but the policy %s says otherwise",
        place.name,
        place.combined ? "averaged" : "copied",
        policy);
    return entry;
  }
}
