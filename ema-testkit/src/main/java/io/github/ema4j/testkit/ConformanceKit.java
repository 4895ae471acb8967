package io.github.ema4j.testkit;

import com.google.common.collect.ImmutableList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;

/**
 * All kits: a backend's author extends this class, says what the backend is ({@link
 * BackendUnderTest}) and runs it as a JUnit test. Kits that are added later come along.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class ConformanceKit<M, T> implements BackendUnderTest<M, T> {

  /** Returns the kits. */
  static List<Class<?>> kits() {
    return ImmutableList.of(
        StateDictKit.class,
        UpdateKit.class,
        PolicyKit.class,
        ConfigurationKit.class,
        LifecycleKit.class,
        CheckpointKit.class,
        ThreadKit.class,
        GoldenKit.class);
  }

  @Nested
  @DisplayName("State dict and tensors")
  class StateDicts extends StateDictKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Update and numerics")
  class Updates extends UpdateKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Entry policies and pairing")
  class Policies extends PolicyKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("By configuration")
  class Configurations extends ConfigurationKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Lifecycle and swap")
  class Lifecycles extends LifecycleKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Checkpoints")
  class Checkpoints extends CheckpointKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Threads and leaks")
  class Threads extends ThreadKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }

  @Nested
  @DisplayName("Golden vectors")
  class Golden extends GoldenKit<M, T> {
    @Override
    protected BackendUnderTest<M, T> subject() {
      return ConformanceKit.this;
    }
  }
}
