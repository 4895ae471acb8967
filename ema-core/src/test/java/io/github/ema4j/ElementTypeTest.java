package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ElementTypeTest {

  @ParameterizedTest
  @CsvSource({
    "F64, 8, true, false",
    "F32, 4, true, false",
    "F16, 2, true, true",
    "BF16, 2, true, true",
    "I64, 8, false, false",
    "I32, 4, false, false",
    "I16, 2, false, false",
    "I8, 1, false, false",
    "U8, 1, false, false",
    "BOOL, 1, false, false",
  })
  void knowsItsSizeAndKind(ElementType type, int bytes, boolean floating, boolean half) {
    assertThat(type.bytes()).isEqualTo(bytes);
    assertThat(type.isFloating()).isEqualTo(floating);
    assertThat(type.isHalf()).isEqualTo(half);
  }

  @ParameterizedTest
  @EnumSource(ShadowType.class)
  void integersAreKeptInTheirOwnType(ShadowType shadowType) {
    for (ElementType type : ElementType.values()) {
      if (!type.isFloating()) {
        assertThat(shadowType.of(type)).isEqualTo(type);
      }
    }
  }

  @Test
  void automaticShadowsWidenHalvesAlone() {
    assertThat(ShadowType.AUTO.of(ElementType.F16)).isEqualTo(ElementType.F32);
    assertThat(ShadowType.AUTO.of(ElementType.BF16)).isEqualTo(ElementType.F32);
    assertThat(ShadowType.AUTO.of(ElementType.F32)).isEqualTo(ElementType.F32);
    assertThat(ShadowType.AUTO.of(ElementType.F64)).isEqualTo(ElementType.F64);
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16"})
  void shadowsOfTheModelsTypeFollowItAndNamedOnesDoNot(ElementType type) {
    assertThat(ShadowType.MODEL.of(type)).isEqualTo(type);
    assertThat(ShadowType.valueOf(type.name()).of(ElementType.F32)).isEqualTo(type);
  }
}
