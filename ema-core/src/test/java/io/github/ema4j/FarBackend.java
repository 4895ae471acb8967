package io.github.ema4j;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.Sets;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A backend with a device whose memory core must not open. Its operations are an average of arrays:
 * what is far gives the same bits as what is near.
 */
final class FarBackend implements DeviceBackend<FarBackend.Far> {
  static final Device DEVICE = new Device("far", 0);

  private static final ArrayBackend ARRAYS = ArrayBackend.instance();

  private final Set<ArrayTensor> live = Sets.newIdentityHashSet();
  private final List<String> calls = new ArrayList<>();
  private int allocations;

  /** A tensor on the device, or near. */
  record Far(ArrayTensor array, Device device) {}

  static Far far(ArrayTensor array) {
    return new Far(array, DEVICE);
  }

  static Far near(ArrayTensor array) {
    return new Far(array, Device.CPU);
  }

  /** Returns what was called on the device since last asked. */
  List<String> calls() {
    List<String> since = List.copyOf(calls);
    calls.clear();
    return since;
  }

  int live() {
    return live.size();
  }

  int allocations() {
    return allocations;
  }

  @Override
  public String name() {
    return "far";
  }

  @Override
  public Class<Far> tensorType() {
    return Far.class;
  }

  @Override
  public TensorSpec describe(Far tensor) {
    return ARRAYS.describe(tensor.array).withDevice(tensor.device);
  }

  @Override
  public Storage storage(Far tensor) {
    return ARRAYS.storage(tensor.array);
  }

  @Override
  public HostMemory memory(Far tensor) {
    checkState(tensor.device.isCpu(), "the host has no access to the device");
    return ARRAYS.memory(tensor.array);
  }

  @Override
  public List<Far> allocate(List<TensorSpec> specs) {
    allocations++;
    List<ArrayTensor> arrays =
        ARRAYS.allocate(specs.stream().map(spec -> spec.withDevice(Device.CPU)).toList());
    live.addAll(arrays);
    List<Far> tensors = new ArrayList<>();
    for (int i = 0; i < arrays.size(); i++) {
      tensors.add(new Far(arrays.get(i), specs.get(i).device()));
    }
    return tensors;
  }

  @Override
  public void release(List<Far> tensors) {
    tensors.forEach(tensor -> checkState(live.remove(tensor.array), "released twice"));
    ARRAYS.release(tensors.stream().map(Far::array).toList());
  }

  @Override
  public void lerp(List<Far> averages, List<Far> models, double weight) {
    calls.add("lerp " + averages.size());
    average(averages, models, 1 - weight, AveragingRule.LERP);
  }

  @Override
  public void weightedSum(
      List<Far> averages, List<Far> models, double averageFactor, double modelFactor) {
    calls.add("weightedSum " + averages.size());
    average(averages, models, averageFactor, AveragingRule.WEIGHTED_SUM);
  }

  private void average(List<Far> averages, List<Far> models, double decay, AveragingRule rule) {
    for (int i = 0; i < averages.size(); i++) {
      checkState(averages.get(i).device.equals(DEVICE), "operations are the device's");
      checkState(describe(averages.get(i)).equals(describe(models.get(i))), "pairs must be alike");
    }
    StateDict<ArrayTensor> shadow = dict(averages);
    EntryPolicy all = EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE);
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .strategy(EmaStrategy.nameMatched(decay))
            .rule(rule)
            .policy(all)
            .shadowType(ShadowType.MODEL)
            .canary(false)
            .guard(NonFiniteGuard.ACCEPT)
            .build(shadow)) {
      ema.update(dict(models));
      ema.copyTo(shadow);
    }
  }

  @Override
  public void copy(List<Far> to, List<Far> from) {
    calls.add("copy " + to.size());
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter())
            .shadowType(ShadowType.MODEL)
            .guard(NonFiniteGuard.ACCEPT)
            .build(dict(to))) {
      ema.load(dict(from));
      ema.copyTo(dict(to));
    }
  }

  @Override
  public boolean isFinite(Far tensor) {
    calls.add("isFinite");
    float[] values = (float[]) tensor.array.array();
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  private static StateDict<ArrayTensor> dict(List<Far> tensors) {
    StateDict.Builder<ArrayTensor> dict = StateDict.builder(ARRAYS);
    for (int i = 0; i < tensors.size(); i++) {
      ArrayTensor array = tensors.get(i).array;
      boolean floating = ARRAYS.describe(array).type().isFloating();
      dict.add(String.valueOf(i), array, floating ? Role.PARAMETER : Role.COUNTER);
    }
    return dict.build();
  }
}
