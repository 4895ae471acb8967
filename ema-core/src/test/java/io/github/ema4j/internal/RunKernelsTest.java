package io.github.ema4j.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RunKernelsTest {

  @AfterEach
  void clear() {
    System.clearProperty(RunKernels.PROPERTY);
  }

  @Test
  void withoutAnotherOnTheClassPathTheKernelIsCoresOwn() {
    assertThat(RunKernels.configured()).isEmpty();
    System.setProperty(RunKernels.PROPERTY, "auto");
    assertThat(RunKernels.configured()).isEmpty();
    System.setProperty(RunKernels.PROPERTY, "portable");
    assertThat(RunKernels.configured()).isEmpty();
  }

  @Test
  void aKernelThatCannotRunIsNotReplacedSilently() {
    System.setProperty(RunKernels.PROPERTY, "simd");
    assertThatIllegalStateException()
        .isThrownBy(RunKernels::configured)
        .withMessageContaining("asks for 'simd', which cannot run here")
        .withMessageContaining("ema-simd on the class path");
  }
}
