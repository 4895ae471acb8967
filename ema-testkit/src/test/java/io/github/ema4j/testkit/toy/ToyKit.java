package io.github.ema4j.testkit.toy;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.Device;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.BackendUnderTest;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** All kits, for the subject that is set. */
public final class ToyKit extends ConformanceKit<ToyModel, ToyTensor> {
  private static @Nullable BackendUnderTest<ToyModel, ToyTensor> current;

  private final BackendUnderTest<ToyModel, ToyTensor> subject = requireNonNull(current);

  /** Sets what the next run is about. */
  public static void use(BackendUnderTest<ToyModel, ToyTensor> subject) {
    current = subject;
  }

  @Override
  public ModelAdapter<ToyModel, ToyTensor> adapter() {
    return subject.adapter();
  }

  @Override
  public Set<Capability> capabilities() {
    return subject.capabilities();
  }

  @Override
  public ToyModel newModel(StateDict<ArrayTensor> like) {
    return subject.newModel(like);
  }

  @Override
  public void release(ToyModel model) {
    subject.release(model);
  }

  @Override
  public Optional<ToyTensor> transposed(ToyTensor tensor) {
    return subject.transposed(tensor);
  }

  @Override
  public void relocate(ToyModel model) {
    subject.relocate(model);
  }

  @Override
  public Device otherDevice() {
    return subject.otherDevice();
  }

  @Override
  public long nativeBytes() {
    return subject.nativeBytes();
  }

  @Override
  public ModelEma<ToyModel> start(
      ModelEma.Builder<ToyModel> builder, EmaConfig config, ToyModel model) {
    return subject.start(builder, config, model);
  }
}
