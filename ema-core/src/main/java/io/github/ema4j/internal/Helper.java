package io.github.ema4j.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A thread that helps with large work. It is a daemon, helps whoever calls it next, and ends when
 * nobody has called for a minute. A pool of the JDK would allocate for each task that it is given.
 */
final class Helper implements Runnable {
  private static final List<Helper> ALL = new ArrayList<>(); // guards itself, and who may be called
  private static final long PATIENCE = TimeUnit.MINUTES.toNanos(1);

  /** Stands for a caller that is being helped. */
  private static final Object BUSY = new Object();

  private final Thread thread;

  /** Nothing while it is idle, then who called it, then {@link #BUSY}. */
  private final AtomicReference<@Nullable Object> caller = new AtomicReference<>();

  private @Nullable HostKernel kernel;

  private Helper() {
    thread = new Thread(null, this, "ema-helper", 0, false);
    thread.setDaemon(true);
    thread.setContextClassLoader(ClassLoader.getSystemClassLoader());
  }

  /**
   * Calls a thread that has nothing to do, a new one if there is none.
   *
   * @throws OutOfMemoryError if there can be no more threads
   */
  static Helper call(Workers work, HostKernel kernel) {
    synchronized (ALL) {
      for (int i = 0; i < ALL.size(); i++) {
        Helper helper = ALL.get(i);
        if (helper.caller.get() == null) {
          helper.assign(work, kernel);
          LockSupport.unpark(helper.thread);
          return helper;
        }
      }
      Helper helper = new Helper();
      helper.assign(work, kernel);
      helper.thread.start();
      ALL.add(helper);
      return helper;
    }
  }

  private void assign(Workers newWork, HostKernel newKernel) {
    kernel = newKernel;
    caller.set(newWork);
  }

  /**
   * Takes a call back.
   *
   * @return false if the thread has begun to help
   */
  boolean dismiss(Workers work) {
    return caller.compareAndSet(work, null);
  }

  @Override
  public void run() {
    long last = System.nanoTime();
    while (true) {
      Object called = caller.get();
      if (called instanceof Workers work && caller.compareAndSet(work, BUSY)) {
        help(work);
        last = System.nanoTime();
      } else if (System.nanoTime() - last >= PATIENCE && retired()) {
        return;
      } else if (caller.get() == null) {
        LockSupport.parkNanos(this, PATIENCE);
      }
    }
  }

  private void help(Workers work) {
    if (kernel != null) {
      work.takePart(kernel);
      kernel = null;
    }
    caller.set(null); // before it is told, so that who is told can call again
    work.partEnded();
  }

  private boolean retired() {
    synchronized (ALL) {
      return caller.get() == null && ALL.remove(this);
    }
  }
}
