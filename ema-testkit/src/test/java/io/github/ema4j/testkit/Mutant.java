package io.github.ema4j.testkit;

import com.google.common.base.Splitter;
import io.github.ema4j.testkit.toy.ToyModel;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.util.List;

/**
 * A framework with one part broken.
 *
 * @param name what is broken
 * @param foundBy the rules that must fail
 * @param subject the framework
 */
record Mutant(String name, List<String> foundBy, BackendUnderTest<ToyModel, ToyTensor> subject) {

  Mutant(String name, String foundBy, BackendUnderTest<ToyModel, ToyTensor> subject) {
    this(
        name,
        Splitter.on(' ').omitEmptyStrings().splitToStream(foundBy).map("EMA-"::concat).toList(),
        subject);
  }

  /** Returns the name, which test reports show. */
  @Override
  public String toString() {
    return name;
  }
}
