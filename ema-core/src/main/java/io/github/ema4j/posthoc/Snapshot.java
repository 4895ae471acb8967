package io.github.ema4j.posthoc;

import io.github.ema4j.StateDict;
import java.util.Comparator;

/**
 * An average as it was at one time.
 *
 * @param profile of which models it is the average
 * @param state its tensors, an entry for each of the layout's
 */
record Snapshot(Profile profile, StateDict<?> state) {
  /** By time, and by width at one time: what a sum is must not depend on who came first. */
  static final Comparator<Snapshot> ORDER =
      Comparator.comparingLong((Snapshot snapshot) -> snapshot.profile.time())
          .thenComparing(snapshot -> snapshot.profile.gamma(), Comparator.reverseOrder());
}
