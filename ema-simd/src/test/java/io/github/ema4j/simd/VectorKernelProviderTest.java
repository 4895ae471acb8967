package io.github.ema4j.simd;

import static java.nio.ByteOrder.BIG_ENDIAN;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class VectorKernelProviderTest {
  private static final String COMPILED = "mixed mode, sharing";

  @Test
  void thisJvmHasNoObstacle() {
    VectorKernelProvider provider = new VectorKernelProvider();
    assertThat(provider.obstacle()).isEmpty();
    assertThat(provider.create().name()).isEqualTo(provider.name());
  }

  @Test
  void eachClosedGateSaysWhatHelps() {
    assertThat(obstacle(true, 25, COMPILED)).isEmpty();
    assertThat(obstacle(false, 25, COMPILED))
        .contains("start the JVM with --add-modules jdk.incubator.vector");
    assertThat(obstacle(true, 99, COMPILED).orElse("")).contains("JDK 99", "a newer ema-simd");
    assertThat(obstacle(true, 25, "interpreted mode").orElse("")).contains("without -Xint");
    assertThat(VectorKernelProvider.obstacle(true, 25, COMPILED, BIG_ENDIAN).orElse(""))
        .contains("little-endian");
  }

  private static Optional<String> obstacle(boolean hasModule, int jdk, String mode) {
    return VectorKernelProvider.obstacle(hasModule, jdk, mode, LITTLE_ENDIAN);
  }
}
