package io.github.ema4j.internal;

import static com.google.common.base.Preconditions.checkState;

import io.github.ema4j.spi.RunKernel;
import io.github.ema4j.spi.RunKernelProvider;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the kernel for runs of neighbouring elements, as the system property {@code ema.kernel}
 * says: {@code auto} (the default) takes the first of the class path that can run, {@code portable}
 * core's own, and a kernel's name that one or none.
 */
final class RunKernels {
  static final String PROPERTY = "ema.kernel";
  static final String AUTO = "auto";
  static final String PORTABLE = "portable";

  private static final Logger LOG = LoggerFactory.getLogger(RunKernels.class);

  private RunKernels() {}

  /** What the class path offers; looked up once, and each obstacle logged once. */
  private static final class Found {
    private static final List<RunKernel<?>> KERNELS = new ArrayList<>();
    private static final List<String> OBSTACLES = new ArrayList<>();

    static {
      find();
      OBSTACLES.forEach(obstacle -> LOG.info("Averaging without {}", obstacle));
      KERNELS.forEach(kernel -> LOG.info("Found the kernel '{}'", kernel.name()));
    }

    private static void find() {
      Iterator<RunKernelProvider> providers =
          ServiceLoader.load(RunKernelProvider.class, RunKernels.class.getClassLoader()).iterator();
      while (true) {
        try {
          if (!providers.hasNext()) {
            return;
          }
          add(providers.next());
        } catch (ServiceConfigurationError | LinkageError e) {
          OBSTACLES.add("a kernel of the class path, which does not load: " + e);
        }
      }
    }

    private static void add(RunKernelProvider provider) {
      Optional<String> obstacle = provider.obstacle();
      if (obstacle.isPresent()) {
        OBSTACLES.add("the kernel '" + provider.name() + "': " + obstacle.get());
      } else {
        KERNELS.add(provider.create());
      }
    }
  }

  /**
   * Returns the kernel that the property asks for; empty for core's own.
   *
   * @throws IllegalStateException if the property asks for a kernel that cannot run here
   */
  static Optional<RunKernel<?>> configured() {
    String wanted = System.getProperty(PROPERTY, AUTO);
    if (wanted.equals(PORTABLE)) {
      return Optional.empty();
    }
    Optional<RunKernel<?>> kernel =
        Found.KERNELS.stream()
            .filter(found -> wanted.equals(AUTO) || wanted.equals(found.name()))
            .findFirst();
    checkState(
        wanted.equals(AUTO) || kernel.isPresent(),
        "the system property %s asks for '%s', which cannot run here (%s); known are auto, portable"
            + " and simd, of which simd needs ema-simd on the class path",
        PROPERTY,
        wanted,
        Found.OBSTACLES.isEmpty() ? "there is none of that name" : Found.OBSTACLES);
    return kernel;
  }
}
