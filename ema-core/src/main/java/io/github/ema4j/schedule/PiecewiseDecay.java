package io.github.ema4j.schedule;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.internal.Checks;
import java.util.Map;
import java.util.NavigableMap;

/**
 * Takes the decay from a table: each value holds from its step on, up to the next. The values may
 * rise or fall. An update over several steps uses the value at its end to the power of {@code
 * elapsed}.
 *
 * @param decayFromStep the decay of one step, in [0, 1], from a step on; the first step is 1. What
 *     is returned cannot be modified
 */
public record PiecewiseDecay(NavigableMap<Long, Double> decayFromStep) implements PerStepSchedule {

  /**
   * Copies and checks the table.
   *
   * @throws IllegalArgumentException if it is empty, does not begin at step 1, or has a decay that
   *     is not in [0, 1]
   */
  public PiecewiseDecay {
    decayFromStep = ImmutableSortedMap.copyOf((Map<Long, Double>) decayFromStep);
    checkArgument(!decayFromStep.isEmpty(), "decayFromStep must have a decay from step 1 on");
    checkArgument(
        decayFromStep.firstKey() == 1,
        "decayFromStep must begin at step 1, but begins at %s",
        decayFromStep.firstKey());
    decayFromStep.forEach((step, decay) -> Checks.decay("the decay from step " + step, decay));
  }

  @Override
  public double decayOfStep(long time) {
    checkArgument(time >= 1, "time must be at least 1, but was %s", time);
    ImmutableSortedMap<Long, Double> table =
        ImmutableSortedMap.copyOfSorted(decayFromStep); // itself
    ImmutableList<Long> steps = table.keySet().asList();
    int at = steps.size() - 1;
    while (steps.get(at) > time) {
      at--;
    }
    return table.values().asList().get(at);
  }
}
