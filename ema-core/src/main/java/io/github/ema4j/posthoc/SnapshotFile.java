package io.github.ema4j.posthoc;

import com.google.common.base.Enums;
import com.google.common.base.Splitter;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.posthoc.SnapshotLayout.Place;
import io.github.ema4j.schedule.PowerFunction;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * What a snapshot's file says beside its tensors, which lie in it under their own names, in the
 * layout's order: the profile, and for each entry its role, {@code combined} or {@code copied}, and
 * the name of the entry that it is tied to, if it is tied to one before it.
 */
final class SnapshotFile {
  private static final String PREFIX = "ema4j.posthoc.";
  private static final String FORMAT = PREFIX + "format";
  private static final String VERSION = "1";
  private static final String TIME = PREFIX + "time";
  private static final String GAMMA = PREFIX + "gamma";
  private static final String SIGMA_REL = PREFIX + "sigmaRel";
  private static final String ENTRY = PREFIX + "entry.";
  private static final String COMBINED = "combined";
  private static final String COPIED = "copied";

  private final TensorFile file;

  private SnapshotFile(TensorFile file) {
    this.file = file;
  }

  /** Returns what the file of a snapshot is to say. */
  static Map<String, String> notes(Profile profile, SnapshotLayout layout) {
    ImmutableMap.Builder<String, String> notes = ImmutableMap.builder();
    notes.put(FORMAT, VERSION);
    notes.put(TIME, String.valueOf(profile.time()));
    notes.put(GAMMA, String.valueOf(profile.gamma()));
    notes.put(SIGMA_REL, String.valueOf(PowerFunction.ofGamma(profile.gamma()).sigmaRel()));
    List<Place> places = layout.places();
    for (int i = 0; i < places.size(); i++) {
      Place place = places.get(i);
      String tie = place.first() == i ? "" : " " + places.get(place.first()).name();
      notes.put(
          ENTRY + place.name(), place.role() + " " + (place.combined() ? COMBINED : COPIED) + tie);
    }
    return notes.buildOrThrow();
  }

  /**
   * Reads of which models a file has the average.
   *
   * @throws CheckpointException if it is not a snapshot, or says what cannot be
   */
  static Profile profile(TensorFile file) {
    SnapshotFile snapshot = new SnapshotFile(file);
    String version = snapshot.note(FORMAT, Function.identity());
    if (!version.equals(VERSION)) {
      throw snapshot.failure(
          FORMAT, "it is of version " + version + ", and this program reads version 1; update it");
    }
    long time = snapshot.note(TIME, Long::valueOf);
    double gamma = snapshot.note(GAMMA, Double::valueOf);
    try {
      return new Profile(time, gamma);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file.path(), null, String.valueOf(e.getMessage()), e);
    }
  }

  /**
   * Reads what a file's entries are.
   *
   * @throws CheckpointException if it does not say it of one, or says what cannot be
   */
  static SnapshotLayout layout(TensorFile file) {
    SnapshotFile snapshot = new SnapshotFile(file);
    List<Place> places = new ArrayList<>();
    Map<String, Integer> indices = new HashMap<>();
    file.tensors()
        .forEach(
            (name, tensor) -> {
              indices.put(name, places.size());
              places.add(snapshot.place(name, tensor.spec(), places, indices));
            });
    return new SnapshotLayout(ImmutableList.copyOf(places));
  }

  /**
   * Returns what the file says of an entry.
   *
   * @param before the entries before it
   * @param indices their places and its own
   */
  private Place place(
      String name, TensorSpec spec, List<Place> before, Map<String, Integer> indices) {
    String said = note(ENTRY + name, Function.identity());
    List<String> parts = Splitter.on(' ').limit(3).splitToList(said);
    Optional<Role> role = Enums.getIfPresent(Role.class, parts.get(0)).toJavaUtil();
    boolean combined = parts.size() > 1 && parts.get(1).equals(COMBINED);
    boolean copied = parts.size() > 1 && parts.get(1).equals(COPIED);
    if (role.isEmpty() || combined == copied) {
      throw failure(name, "'" + said + "' does not say what it is");
    }
    if (combined && spec.type() != ElementType.F32) {
      throw failure(name, "it is combined, but is " + spec.type() + " instead of F32");
    }
    String tie = parts.size() > 2 ? parts.get(2) : name;
    int first = indices.getOrDefault(tie, -1);
    if (first < 0 || (first < before.size() && !before.get(first).spec().equals(spec))) {
      throw failure(name, "it is tied to '" + tie + "', which is not before it, or not like it");
    }
    return new Place(name, role.get(), spec, combined, first);
  }

  private <V> V note(String key, Function<String, V> parse) {
    String text = file.metadata().get(key);
    if (text == null) {
      throw failure(key, "the metadata do not have it; it is not a snapshot that was kept here");
    }
    try {
      return parse.apply(text);
    } catch (NumberFormatException e) {
      throw failure(key, "'" + text + "' is not a number");
    }
  }

  private CheckpointException failure(String entry, String reason) {
    return new CheckpointException(file.path(), entry, reason, null);
  }
}
