package io.github.ema4j.spi;

import java.util.Optional;

/**
 * Tells whether a {@link RunKernel} can run in this JVM, and makes it; found by {@code
 * ServiceLoader}. Providers load on any JVM, their kernels where they can run.
 */
public interface RunKernelProvider {

  /** Returns the name by which the system property {@code ema.kernel} asks for the kernel. */
  String name();

  /** Returns why the kernel cannot run in this JVM, and what helps; empty if it can. */
  Optional<String> obstacle();

  /**
   * Makes the kernel.
   *
   * @throws IllegalStateException if there is an obstacle
   */
  RunKernel<?> create();
}
