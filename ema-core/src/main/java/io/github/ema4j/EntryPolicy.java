package io.github.ema4j;

import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Maps;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * Decides by name and by role what an update does with each entry. Immutable.
 *
 * <p>The first {@link NamePattern} that matches an entry's name decides; where none does, the role
 * decides. By default there are no patterns; parameters, frozen ones too, and running statistics
 * are averaged; counters and all other integers are copied. An entry of an integer type is treated
 * as a {@link Role#COUNTER} whatever its role.
 *
 * <p>Buffers that are no statistics, such as the unit vectors of spectral normalisation, whose
 * average is no unit vector, are best copied: {@code
 * EntryPolicy.defaults().with(NamePattern.glob("*weight_u"), Treatment.COPY)}.
 */
public final class EntryPolicy {

  private static final EntryPolicy DEFAULTS =
      new EntryPolicy(
          ImmutableList.of(),
          Maps.immutableEnumMap(
              Map.of(
                  Role.PARAMETER, Treatment.AVERAGE,
                  Role.FROZEN, Treatment.AVERAGE,
                  Role.STATISTIC, Treatment.AVERAGE,
                  Role.COUNTER, Treatment.COPY)));

  /**
   * A treatment for the entries that a pattern matches.
   *
   * @param pattern which entries
   * @param treatment what an update does with them
   */
  public record PatternRule(NamePattern pattern, Treatment treatment) {

    /** Checks that both parts are there. */
    public PatternRule {
      requireNonNull(pattern, "pattern");
      requireNonNull(treatment, "treatment");
    }
  }

  private final ImmutableList<PatternRule> patterns;
  private final ImmutableMap<Role, Treatment> treatments;

  private EntryPolicy(
      ImmutableList<PatternRule> patterns, ImmutableMap<Role, Treatment> treatments) {
    this.patterns = patterns;
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
    return new EntryPolicy(patterns, Maps.immutableEnumMap(changed));
  }

  /**
   * Returns a policy that is like this one but for entries whose names a pattern matches and no
   * earlier pattern does.
   */
  public EntryPolicy with(NamePattern pattern, Treatment treatment) {
    return new EntryPolicy(
        ImmutableList.<PatternRule>builder()
            .addAll(patterns)
            .add(new PatternRule(pattern, treatment))
            .build(),
        treatments);
  }

  /** Returns the patterns in the order in which they are tried. */
  public ImmutableList<PatternRule> patterns() {
    return patterns;
  }

  /** Returns what happens to an entry. */
  public Treatment treatment(String name, Role role, ElementType type) {
    Optional<PatternRule> rule =
        patterns.stream().filter(candidate -> candidate.pattern().matches(name)).findFirst();
    return rule.isPresent()
        ? rule.get().treatment()
        : treatment(type.isFloating() ? role : Role.COUNTER);
  }

  /**
   * Returns what happens to floating-point entries of a role that no pattern matches; for a
   * counter, to all integers that no pattern matches.
   */
  public Treatment treatment(Role role) {
    Treatment treatment = treatments.get(role);
    if (treatment == null) {
      throw new AssertionError(role);
    }
    return treatment;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof EntryPolicy policy
        && patterns.equals(policy.patterns)
        && treatments.equals(policy.treatments);
  }

  @Override
  public int hashCode() {
    return 31 * patterns.hashCode() + treatments.hashCode();
  }

  /** Returns the patterns and the treatment of each role. */
  @Override
  public String toString() {
    return "EntryPolicy[patterns=" + patterns + ", roles=" + treatments + "]";
  }
}
