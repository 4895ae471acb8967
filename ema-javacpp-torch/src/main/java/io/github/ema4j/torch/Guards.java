package io.github.ema4j.torch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.NoGradGuard;

/** LibTorch's switches for a thread, and who owns what is made meanwhile. */
final class Guards {

  private Guards() {}

  /**
   * Runs work without recording gradients and outside of inference mode, whose tensors could not be
   * written later. Pointers that it makes are freed after it unless {@link #kept}; the thread is
   * then as it was.
   */
  @SuppressWarnings("try") // guards are there to be closed
  static void withoutGradient(Runnable work) {
    try (PointerScope temporaries = new PointerScope();
        InferenceMode off = new InferenceMode(false);
        NoGradGuard guard = new NoGradGuard()) { // last: leaving inference mode turns recording on
      work.run();
    }
  }

  /** Runs work, and frees the pointers that it makes unless they are {@link #kept}. */
  @SuppressWarnings("try") // the scope is there to be closed
  static void freeingTemporaries(Runnable work) {
    try (PointerScope temporaries = new PointerScope()) {
      work.run();
    }
  }

  /** Keeps a pointer beyond the scope that it was made in, until {@link #release}. */
  static <P extends Pointer> P kept(P pointer) {
    return pointer.retainReference();
  }

  /** Frees what {@link #kept} kept. */
  static void release(Pointer pointer) {
    pointer.releaseReference();
  }

  /** Returns what a native exception says, without its stack. */
  static String firstLine(Throwable failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
  }
}
