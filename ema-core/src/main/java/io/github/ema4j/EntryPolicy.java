package io.github.ema4j;

import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import java.util.EnumMap;
import java.util.Map;

/**
 * Decides by role what an update does with each entry. Immutable.
 *
 * <p>By default parameters, frozen ones too, and running statistics are averaged; counters and all
 * other integers are copied. An entry of an integer type is treated as a {@link Role#COUNTER}
 * whatever its role.
 */
public final class EntryPolicy {

  private static final EntryPolicy DEFAULTS =
      new EntryPolicy(
          Maps.immutableEnumMap(
              Map.of(
                  Role.PARAMETER, Treatment.AVERAGE,
                  Role.FROZEN, Treatment.AVERAGE,
                  Role.STATISTIC, Treatment.AVERAGE,
                  Role.COUNTER, Treatment.COPY)));

  private final ImmutableMap<Role, Treatment> treatments;

  private EntryPolicy(ImmutableMap<Role, Treatment> treatments) {
    this.treatments = treatments;
  }

  /** Returns the default policy. */
  public static EntryPolicy defaults() {
    return DEFAULTS;
  }

  /** Returns a policy that is like this one but for entries of one role. */
  public EntryPolicy with(Role role, Treatment treatment) {
    EnumMap<Role, Treatment> changed = new EnumMap<>(treatments);
    changed.put(role, treatment);
    return new EntryPolicy(Maps.immutableEnumMap(changed));
  }

  /** Returns what happens to an entry of a role and element type. */
  public Treatment treatment(Role role, ElementType type) {
    return treatment(type.isFloating() ? role : Role.COUNTER);
  }

  /** Returns what happens to floating-point entries of a role, or to all integers for a counter. */
  public Treatment treatment(Role role) {
    Treatment treatment = treatments.get(role);
    if (treatment == null) {
      throw new AssertionError(role);
    }
    return treatment;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof EntryPolicy policy && treatments.equals(policy.treatments);
  }

  @Override
  public int hashCode() {
    return treatments.hashCode();
  }

  /** Returns the treatment of each role, such as {@code {PARAMETER=AVERAGE, …}}. */
  @Override
  public String toString() {
    return treatments.toString();
  }
}
