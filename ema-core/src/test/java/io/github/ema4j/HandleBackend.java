package io.github.ema4j;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.Sets;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * A second backend, of handles to arrays. As frameworks' tensors do, handles with the same content
 * are equal; a second device is host memory too; and long tensors come in several segments.
 */
final class HandleBackend implements TensorBackend<HandleBackend.Handle> {

  static final Device FAR = new Device("far", 0);

  private static final int SEGMENT = 3;

  private final Set<Handle> live = Sets.newIdentityHashSet();
  private final Set<Handle> dead = Sets.newIdentityHashSet();
  private int allocationsLeft = Integer.MAX_VALUE;

  /** An array on a device, equal to every handle with the same floats. */
  record Handle(ArrayTensor array, Device device) {

    @Override
    public boolean equals(Object other) {
      return other instanceof Handle handle
          && Arrays.equals((float[]) array.array(), (float[]) handle.array.array());
    }

    @Override
    public int hashCode() {
      return 0;
    }
  }

  static Handle handle(float... values) {
    return new Handle(ArrayTensor.of(values, values.length), Device.CPU);
  }

  ModelAdapter<StateDict<Handle>, Handle> adapter() {
    return StateDict.adapter(this);
  }

  /** Returns how many tensors are allocated and not yet released. */
  int live() {
    return live.size();
  }

  /** Lets allocations after the next few fail, as those of a full device do. */
  void failAfter(int allocations) {
    allocationsLeft = allocations;
  }

  @Override
  public String name() {
    return "handles";
  }

  @Override
  public Class<Handle> tensorType() {
    return Handle.class;
  }

  @Override
  public TensorSpec describe(Handle tensor) {
    if (!tensor.device.isCpu() && !tensor.device.equals(FAR)) {
      throw new UnsupportedOperationException("nothing is known of " + tensor.device);
    }
    return open(tensor).spec().withDevice(tensor.device);
  }

  @Override
  public Storage storage(Handle tensor) {
    return ArrayBackend.instance().storage(open(tensor));
  }

  @Override
  public HostMemory memory(Handle tensor) {
    float[] array = (float[]) open(tensor).array();
    List<FloatBuffer> segments = new ArrayList<>();
    for (int i = 0; i == 0 || i < array.length; i += SEGMENT) {
      segments.add(FloatBuffer.wrap(array, i, Math.min(SEGMENT, array.length - i)));
    }
    return HostMemory.ofSegments(segments.toArray(new FloatBuffer[0]));
  }

  @Override
  public List<Handle> allocate(List<TensorSpec> specs) {
    checkState(allocationsLeft > 0, "out of memory");
    allocationsLeft--;
    List<Handle> tensors = new ArrayList<>();
    for (TensorSpec spec : specs) {
      TensorSpec near = spec.withDevice(spec.device().equals(FAR) ? Device.CPU : spec.device());
      ArrayTensor array = ArrayBackend.instance().allocate(List.of(near)).get(0);
      tensors.add(new Handle(array, spec.device()));
    }
    live.addAll(tensors);
    return tensors;
  }

  @Override
  public void release(List<Handle> tensors) {
    for (Handle tensor : tensors) {
      checkState(live.remove(tensor), "released twice, or never allocated here");
      dead.add(tensor);
    }
  }

  private ArrayTensor open(Handle tensor) {
    checkState(!dead.contains(tensor), "the handle is dead");
    return tensor.array;
  }
}
