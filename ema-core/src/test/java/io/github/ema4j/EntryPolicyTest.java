package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EntryPolicyTest {

  private final EntryPolicy defaults = EntryPolicy.defaults();

  @ParameterizedTest
  @EnumSource(Role.class)
  void countersAreCopiedAndAllElseIsAveraged(Role role) {
    Treatment expected = role == Role.COUNTER ? Treatment.COPY : Treatment.AVERAGE;
    assertThat(defaults.treatment(role)).isEqualTo(expected);
    assertThat(defaults.treatment("w", role, ElementType.BF16)).isEqualTo(expected);
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void integersAreCountersWhateverTheirRole(Role role) {
    EntryPolicy policy = defaults.with(Role.COUNTER, Treatment.SKIP);
    for (ElementType type : ElementType.values()) {
      assertThat(policy.treatment("w", role, type) == Treatment.SKIP)
          .as("%s %s", role, type)
          .isEqualTo(role == Role.COUNTER || !type.isFloating());
    }
  }

  @Test
  void changesOneRoleAndLeavesTheOriginalAlone() {
    EntryPolicy changed = defaults.with(Role.STATISTIC, Treatment.COPY);
    assertThat(changed.treatment(Role.STATISTIC)).isEqualTo(Treatment.COPY);
    assertThat(changed.treatment(Role.PARAMETER)).isEqualTo(Treatment.AVERAGE);
    assertThat(defaults.treatment(Role.STATISTIC)).isEqualTo(Treatment.AVERAGE);
  }

  @Test
  void policiesThatSayTheSameAreEqual() {
    EntryPolicy changed = defaults.with(Role.FROZEN, Treatment.SKIP);
    assertThat(changed.with(Role.FROZEN, Treatment.AVERAGE))
        .isEqualTo(defaults)
        .hasSameHashCodeAs(defaults);
    assertThat(changed).isNotEqualTo(defaults).isNotEqualTo("policy");
    assertThat(changed)
        .hasToString(
            "EntryPolicy[patterns=[], roles={PARAMETER=AVERAGE, FROZEN=SKIP, STATISTIC=AVERAGE,"
                + " COUNTER=COPY}]");
  }

  @Test
  void theFirstPatternThatMatchesDecidesAndRolesDecideForTheRest() {
    EntryPolicy policy =
        defaults
            .with(NamePattern.glob("*.weight_u"), Treatment.COPY)
            .with(NamePattern.regex("head[.].*"), Treatment.SKIP)
            .with(NamePattern.glob("head.weight_?"), Treatment.AVERAGE);
    assertThat(treatment(policy, "body.weight_u")).isEqualTo(Treatment.COPY);
    assertThat(treatment(policy, "head.weight_u")).isEqualTo(Treatment.COPY);
    assertThat(treatment(policy, "head.weight_v")).isEqualTo(Treatment.SKIP);
    assertThat(treatment(policy, "body.weight")).isEqualTo(Treatment.AVERAGE);
    assertThat(treatment(defaults, "body.weight_u")).isEqualTo(Treatment.AVERAGE);
    assertThat(policy).isNotEqualTo(defaults);
  }

  @Test
  void aPatternDecidesForIntegersToo() {
    EntryPolicy policy = defaults.with(NamePattern.glob("steps"), Treatment.AVERAGE);
    assertThat(policy.treatment("steps", Role.COUNTER, ElementType.I64))
        .isEqualTo(Treatment.AVERAGE);
    assertThat(policy.treatment("other", Role.COUNTER, ElementType.I64)).isEqualTo(Treatment.COPY);
  }

  private static Treatment treatment(EntryPolicy policy, String name) {
    return policy.treatment(name, Role.PARAMETER, ElementType.F32);
  }
}
