package io.github.ema4j.testkit.toy;

import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Named tensors that can be exchanged. */
public final class ToyModel {
  private final Map<String, ToyTensor> tensors = new LinkedHashMap<>();
  private final Map<String, Role> roles = new TreeMap<>();

  /** Returns the tensors by name; what is put in is in the model. */
  public Map<String, ToyTensor> tensors() {
    return tensors;
  }

  /** Returns the roles by name. */
  public Map<String, Role> roles() {
    return roles;
  }

  /** Returns each tensor once. */
  public List<ToyTensor> distinctTensors() {
    return List.copyOf(new LinkedHashSet<>(tensors.values()));
  }

  /** Returns a view that sees when tensors were exchanged. */
  public StateDict<ToyTensor> stateDict(TensorBackend<ToyTensor> backend) {
    return new View(backend);
  }

  private final class View implements StateDict<ToyTensor> {
    private final TensorBackend<ToyTensor> backend;
    private List<Entry<ToyTensor>> entries;

    View(TensorBackend<ToyTensor> backend) {
      this.backend = backend;
      entries = listed();
    }

    private List<Entry<ToyTensor>> listed() {
      List<Entry<ToyTensor>> listed = new ArrayList<>();
      tensors.forEach(
          (name, tensor) ->
              listed.add(new Entry<>(name, tensor, backend.describe(tensor), roles.get(name))));
      return List.copyOf(listed);
    }

    @Override
    public TensorBackend<ToyTensor> backend() {
      return backend;
    }

    @Override
    public List<Entry<ToyTensor>> entries() {
      return entries;
    }

    @Override
    public boolean refresh() {
      List<Entry<ToyTensor>> now = listed();
      boolean moved = !now.equals(entries);
      entries = now;
      return moved;
    }
  }
}
