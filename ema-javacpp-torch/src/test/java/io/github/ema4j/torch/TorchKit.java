package io.github.ema4j.torch;

import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What the kits are told about LibTorch, whatever the kind of module.
 *
 * @param <M> the kind of module
 */
abstract class TorchKit<M extends Pointer> extends ConformanceKit<M, Tensor> {

  /** Returns an empty module. */
  abstract M module();

  abstract void addModule(M owner, String name, M child);

  abstract void addParameter(M owner, String name, Tensor tensor, boolean gradient);

  abstract void addBuffer(M owner, String name, Tensor tensor);

  @Override
  public abstract TorchAdapter<M> adapter();

  @Override
  public Set<Capability> capabilities() {
    Set<Capability> capabilities =
        EnumSet.of(
            Capability.IN_PLACE,
            Capability.ZERO_COPY,
            Capability.EMPTY,
            Capability.STRIDED,
            Capability.TIED,
            Capability.MOVING,
            Capability.ABOVE_2_GIB);
    for (ElementType type : ElementType.values()) {
      capabilities.add(Capability.of(type));
    }
    if (torch.cuda_is_available()) {
      capabilities.add(Capability.OTHER_DEVICES);
      capabilities.add(Capability.CUDA);
    }
    return capabilities;
  }

  @Override
  public M newModel(StateDict<ArrayTensor> like) {
    M model = module();
    Map<String, M> modules = new HashMap<>(Map.of("", model));
    IdentityHashMap<ArrayTensor, Tensor> tensors = new IdentityHashMap<>();
    for (Entry<ArrayTensor> entry : like.entries()) {
      Tensor tensor = tensors.computeIfAbsent(entry.tensor(), key -> tensor(entry.spec()));
      int dot = entry.name().lastIndexOf('.');
      M owner = module(entry.name().substring(0, Math.max(0, dot)), modules);
      String name = entry.name().substring(dot + 1);
      if (entry.role() == Role.STATISTIC || !entry.spec().type().isFloating()) {
        addBuffer(owner, name, tensor);
      } else {
        addParameter(owner, name, tensor, entry.role() == Role.PARAMETER);
      }
    }
    return model;
  }

  private M module(String path, Map<String, M> modules) {
    M known = modules.get(path);
    if (known != null) {
      return known;
    }
    int dot = path.lastIndexOf('.');
    M made = module();
    addModule(module(path.substring(0, Math.max(0, dot)), modules), path.substring(dot + 1), made);
    modules.put(path, made);
    return made;
  }

  private static Tensor tensor(TensorSpec spec) {
    return TorchBackend.instance()
        .allocate(List.of(spec.isDense() ? spec : spec.withRowMajorStrides()))
        .get(0);
  }

  @Override
  public void release(M model) {
    adapter().releaseCopy(model);
  }

  @Override
  public String version() {
    try {
      return "LibTorch of JavaCPP " + Loader.getVersion("org.bytedeco", "pytorch");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Optional<Tensor> transposed(Tensor tensor) {
    return Optional.of(tensor.t());
  }

  @Override
  public void relocate(M model) {
    try (StateDict<Tensor> dict = adapter().stateDict(model)) {
      Guards.withoutGradient(
          () -> dict.entries().forEach(entry -> entry.tensor().set_data(entry.tensor().clone())));
    }
  }

  @Override
  public Device otherDevice() {
    return Device.parse("cuda:0");
  }
}
