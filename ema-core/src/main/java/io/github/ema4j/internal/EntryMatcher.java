package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Finds for each slot of an average its entry in another state dict. */
public final class EntryMatcher {
  private static final List<String> WRAPPERS = List.of("module.", "_orig_mod.");

  /** What may differ between the tensor that a slot was made from and the one that it meets. */
  public enum Leeway {
    /** Nothing: type, shape and device agree. */
    NONE,
    /** Floating types may differ; devices must agree. */
    TYPE,
    /** Devices may differ; types must agree. */
    DEVICE,
    /** Floating types and devices may differ. */
    TYPE_AND_DEVICE;

    /** Returns the leeway that allows just what is said. */
    public static Leeway of(boolean type, boolean device) {
      return type ? (device ? TYPE_AND_DEVICE : TYPE) : (device ? DEVICE : NONE);
    }

    private boolean allows(ElementType average, ElementType other) {
      boolean convertible =
          average.isFloating() && other.isFloating() && this != NONE && this != DEVICE;
      return average == other || convertible;
    }

    private boolean allowsAnyDevice() {
      return this == DEVICE || this == TYPE_AND_DEVICE;
    }
  }

  private final Pairing pairing;
  private final Leeway leeway;
  private final String own;
  private final String other;
  private final List<String> differences = new ArrayList<>();

  private EntryMatcher(Pairing pairing, Leeway leeway, String own, String other) {
    this.pairing = pairing;
    this.leeway = leeway;
    this.own = own;
    this.other = other;
  }

  /**
   * Returns the slots' entries, in the order of the slots.
   *
   * @param other what the entries belong to, for messages: {@code model}, {@code state}
   * @throws IllegalArgumentException if anything differs, with every difference
   */
  public static <R> List<Entry<R>> match(
      Pairing pairing, Leeway leeway, List<Slot> slots, List<Entry<R>> entries, String other) {
    return match(pairing, leeway, slots, "average", entries, other);
  }

  /**
   * Returns the slots' entries, in the order of the slots.
   *
   * @param own what the slots belong to, for messages
   * @param other what the entries belong to
   * @throws IllegalArgumentException if anything differs, with every difference
   */
  public static <R> List<Entry<R>> match(
      Pairing pairing,
      Leeway leeway,
      List<Slot> slots,
      String own,
      List<Entry<R>> entries,
      String other) {
    return new EntryMatcher(pairing, leeway, own, other).match(slots, entries);
  }

  /**
   * Returns the entries but for those that other slots are named like. Where some entry is named
   * like none of all slots, names are compared without the wrappers that all have.
   */
  public static <R> List<Entry<R>> without(
      List<Slot> others, List<Slot> slots, List<Entry<R>> entries) {
    List<String> known = Stream.concat(others.stream(), slots.stream()).map(Slot::name).toList();
    List<String> names = entries.stream().map(Entry::name).toList();
    if (!new HashSet<>(known).containsAll(names)) {
      known = withoutWrappers(known);
      names = withoutWrappers(names);
    }
    Set<String> left = new HashSet<>(known.subList(0, others.size()));
    ImmutableList.Builder<Entry<R>> kept = ImmutableList.builder();
    for (int i = 0; i < names.size(); i++) {
      if (!left.contains(names.get(i))) {
        kept.add(entries.get(i));
      }
    }
    return kept.build();
  }

  private <R> List<Entry<R>> match(List<Slot> slots, List<Entry<R>> entries) {
    Set<String> names = new HashSet<>();
    for (Entry<R> entry : entries) {
      if (!names.add(entry.name())) {
        differences.add(
            String.format("the %s has several entries named '%s'", other, entry.name()));
      }
    }
    List<Entry<R>> matched =
        pairing == Pairing.ORDERED ? byPosition(slots, entries) : byName(slots, entries);
    checkArgument(
        differences.isEmpty(),
        "%s and %s differ:\n  %s",
        own,
        other,
        String.join("\n  ", differences));
    return matched;
  }

  private <R> List<Entry<R>> byPosition(List<Slot> slots, List<Entry<R>> entries) {
    int common = Math.min(slots.size(), entries.size());
    if (slots.size() != entries.size()) {
      differences.add(
          String.format(
              Locale.ROOT,
              "count mismatch: %s has %,d entries, %s has %,d",
              own,
              slots.size(),
              other,
              entries.size()));
    }
    for (int i = 0; i < common; i++) {
      compare(slots.get(i), entries.get(i), " at position " + i);
    }
    slots.subList(common, slots.size()).forEach(slot -> onlyIn(own, slot.name()));
    entries.subList(common, entries.size()).forEach(entry -> onlyIn(other, entry.name()));
    return entries;
  }

  private <R> List<Entry<R>> byName(List<Slot> slots, List<Entry<R>> entries) {
    List<String> slotNames = slots.stream().map(Slot::name).toList();
    List<String> entryNames = entries.stream().map(Entry::name).toList();
    if (!new HashSet<>(slotNames).equals(new HashSet<>(entryNames))) {
      slotNames = withoutWrappers(slotNames);
      entryNames = withoutWrappers(entryNames);
    }
    Map<String, Entry<R>> byName = new LinkedHashMap<>();
    for (int i = 0; i < entries.size(); i++) {
      byName.put(entryNames.get(i), entries.get(i));
    }
    Set<String> extra = new HashSet<>(byName.keySet());
    ImmutableList.Builder<Entry<R>> matched = ImmutableList.builder();
    for (int i = 0; i < slots.size(); i++) {
      Entry<R> entry = byName.get(slotNames.get(i));
      if (entry == null) {
        onlyIn(own, slots.get(i).name());
      } else {
        extra.remove(slotNames.get(i));
        compare(slots.get(i), entry, "");
        matched.add(entry);
      }
    }
    byName.forEach(
        (name, entry) -> {
          if (extra.contains(name)) {
            onlyIn(other, entry.name());
          }
        });
    return matched.build();
  }

  /** Takes off the wrapper prefixes that all names have; names stay unique. */
  private static List<String> withoutWrappers(List<String> names) {
    for (String wrapper : WRAPPERS) {
      if (!names.isEmpty() && names.stream().allMatch(name -> name.startsWith(wrapper))) {
        return withoutWrappers(
            names.stream().map(name -> name.substring(wrapper.length())).toList());
      }
    }
    return names;
  }

  private void compare(Slot slot, Entry<?> entry, String position) {
    TensorSpec average = slot.modelSpec();
    TensorSpec met = entry.spec();
    String where = named(slot, entry) + position;
    if (!average.shape().equals(met.shape())) {
      differ("shape", where, average.shape(), met.shape());
    }
    if (!leeway.allows(average.type(), met.type())) {
      differ("type", where, average.type(), met.type());
    }
    if (!leeway.allowsAnyDevice() && !average.device().equals(met.device())) {
      differ("device", where, average.device(), met.device());
    }
  }

  private static String named(Slot slot, Entry<?> entry) {
    return slot.name().equals(entry.name())
        ? "'" + slot.name() + "'"
        : "'" + slot.name() + "' and '" + entry.name() + "'";
  }

  private void differ(String what, String where, Object average, Object met) {
    differences.add(
        String.format(
            "%s mismatch for %s: %s has %s, %s has %s", what, where, own, average, other, met));
  }

  private void onlyIn(String owner, String name) {
    differences.add(String.format("'%s' is only in the %s", name, owner));
  }
}
