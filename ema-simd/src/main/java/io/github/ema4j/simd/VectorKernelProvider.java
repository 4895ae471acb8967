package io.github.ema4j.simd;

import io.github.ema4j.spi.RunKernel;
import io.github.ema4j.spi.RunKernelProvider;
import java.nio.ByteOrder;
import java.util.Optional;

/** Offers the kernel {@code simd} where the JVM has the Vector API and compiles it. */
public final class VectorKernelProvider implements RunKernelProvider {
  private static final String MODULE = "jdk.incubator.vector";
  private static final int NEWEST_KNOWN_JDK = 26;

  /** Makes a provider. */
  public VectorKernelProvider() {}

  @Override
  public String name() {
    return "simd";
  }

  @Override
  public Optional<String> obstacle() {
    return obstacle(
        ModuleLayer.boot().findModule(MODULE).isPresent(),
        Runtime.version().feature(),
        System.getProperty("java.vm.info", ""),
        ByteOrder.nativeOrder());
  }

  /** Runs the gates in order: the first that is closed says what helps. */
  static Optional<String> obstacle(boolean hasModule, int jdk, String mode, ByteOrder order) {
    if (jdk > NEWEST_KNOWN_JDK) {
      return Optional.of(
          "it is not known to give the same bits on JDK "
              + jdk
              + "; take a newer ema-simd, or a JDK up to "
              + NEWEST_KNOWN_JDK);
    } else if (!hasModule) {
      return Optional.of("start the JVM with --add-modules " + MODULE);
    } else if (mode.contains("interpreted")) {
      return Optional.of("the JVM only interprets; start it without -Xint");
    } else if (order != ByteOrder.LITTLE_ENDIAN) {
      return Optional.of("it is for little-endian processors alone");
    }
    return Optional.empty();
  }

  @Override
  public RunKernel<?> create() {
    obstacle()
        .ifPresent(
            obstacle -> {
              throw new IllegalStateException("the kernel 'simd' cannot run: " + obstacle);
            });
    return new VectorKernel();
  }
}
