package io.github.ema4j.benchmarks;

import io.github.ema4j.ElementType;

/** What the tables call groups and contenders. */
final class Names {
  /** With what the process of Python begins. */
  static final String PYTHON = "Python ";

  static final String MEMCPY = "memcpy";
  static final String LINEAR = "linear cost";
  static final String TIMM = "timm V2's formula";
  static final String LERP = "lerp_";
  static final String FOREACH_LERP = "_foreach_lerp_";
  static final String BANKS = "four averages";
  static final String STEP = "step";
  static final String UPDATE = "update";
  static final String DEMO = "demo";
  static final String WITH = "steps with updates";
  static final String WITHOUT = "steps without";

  /** The averages of a bank. */
  static final int MEMBERS = 4;

  private Names() {}

  static String updates(ModelShape shape, ElementType type) {
    return shape.label() + ", " + (type == ElementType.F32 ? "float32" : "bfloat16");
  }

  static String update(Kernel kernel, Checks checks) {
    return "ema4j " + kernel.label() + checks.suffix();
  }

  static String bank(Kernel kernel) {
    return "bank, " + kernel.label();
  }

  static String singles(Kernel kernel) {
    return "single updates, " + kernel.label();
  }

  static String linear(String contender, int millions) {
    return contender + ", " + millions + " M";
  }

  static String training(String description) {
    return "training, " + description;
  }
}
