package io.github.ema4j.djl;

import ai.djl.engine.Engine;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/**
 * LibTorch's gradient recording, which it switches for each thread. DJL turns it off on the thread
 * that loads the engine and leaves it on in all others; its API can only turn it on, so that this
 * reaches for the PyTorch engine's own switch by reflection. Other engines record only where they
 * are told to.
 */
final class GradientMode {
  private static final String SWITCH = "ai.djl.pytorch.jni.JniUtils";

  private GradientMode() {}

  /**
   * Runs work on the calling thread with recording off, and puts back what was before.
   *
   * @throws UnsupportedOperationException if the engine has no such switch
   */
  static void runOff(Engine engine, Runnable work) {
    if (!engine.getEngineName().equals("PyTorch")) {
      work.run();
      return;
    }
    Method set = method(engine, "setGradMode", boolean.class);
    boolean before = (boolean) call(method(engine, "isGradMode"));
    call(set, false);
    try {
      work.run();
    } finally {
      call(set, before);
    }
  }

  private static Method method(Engine engine, String name, Class<?>... parameters) {
    try {
      return Class.forName(SWITCH, true, engine.getClass().getClassLoader())
          .getMethod(name, parameters);
    } catch (ReflectiveOperationException e) {
      throw unsupported(engine.getVersion(), e);
    }
  }

  private static Object call(Method method, Object... arguments) {
    try {
      return method.invoke(null, arguments);
    } catch (IllegalAccessException e) {
      throw unsupported(method.toString(), e);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException("gradient recording could not be switched", e.getCause());
    }
  }

  private static UnsupportedOperationException unsupported(String what, Exception cause) {
    return new UnsupportedOperationException(
        "gradient recording cannot be turned off in this PyTorch engine ("
            + what
            + "), so a rule over NDArrays would leak; use an update without a rule",
        cause);
  }
}
