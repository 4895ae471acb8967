package io.github.ema4j.torch;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableListMultimap;
import com.google.common.collect.Multimaps;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.TensorBackend;
import io.github.ema4j.torch.Network.Named;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * The parameters and buffers of a model, as they are at the last look. It holds a handle to each
 * tensor, which follows it wherever LibTorch moves it.
 */
final class TorchStateDict<M extends Pointer> implements StateDict<Tensor> {
  private final TorchBackend backend;
  private final Network<M> network;
  private final M model;
  private ImmutableList<Handle> handles = ImmutableList.of();
  private ImmutableList<Entry<Tensor>> entries = ImmutableList.of();

  /** What the model's own lists, its parameters and after them its buffers, are told by. */
  private long[] identities = {};

  /**
   * A tensor of the model.
   *
   * @param entry what is shown of it; its tensor is the handle
   * @param identity what the tensor is told from others by
   * @param address where the elements were
   */
  private record Handle(Entry<Tensor> entry, boolean buffer, long identity, long address) {

    static Handle of(String name, Tensor tensor, boolean buffer, TensorSpec spec) {
      return new Handle(
          new Entry<>(name, tensor, spec, role(name, tensor, buffer, spec)),
          buffer,
          Network.identity(tensor),
          TorchBackend.address(tensor));
    }

    private static Role role(String name, Tensor tensor, boolean buffer, TensorSpec spec) {
      if (!spec.type().isFloating() || (buffer && name.endsWith("num_batches_tracked"))) {
        return Role.COUNTER; // a cast module has even these in floating point
      } else if (buffer) {
        return Role.STATISTIC;
      }
      return tensor.requires_grad() ? Role.PARAMETER : Role.FROZEN;
    }

    boolean isCurrent() {
      try {
        return TorchBackend.looksLike(entry.tensor(), entry.spec())
            && address == TorchBackend.address(entry.tensor());
      } catch (UnsupportedOperationException e) {
        return false; // listing it says why, with its name
      }
    }
  }

  TorchStateDict(TorchBackend backend, Network<M> network, M model) {
    this.backend = backend;
    this.network = network;
    this.model = model;
    take(listed());
  }

  @Override
  public TensorBackend<Tensor> backend() {
    return backend;
  }

  @Override
  public List<Entry<Tensor>> entries() {
    return entries;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Looks whether the model has other tensors, and whether one lies elsewhere: after {@code to}
   * a handle refers to the same tensor at another place. Roles that changed are not looked for.
   */
  @Override
  public boolean refresh() {
    requireOpen();
    if (isCurrent()) {
      return false;
    }
    List<Handle> before = handles;
    take(listed());
    release(before);
    return true;
  }

  /** The handles are the view's own, and their addresses are compared. */
  @Override
  public boolean tellsMoves() {
    return true;
  }

  @SuppressWarnings("try") // the scope is there to be closed
  private boolean isCurrent() {
    try (PointerScope temporaries = new PointerScope()) {
      if (!network.hasTensors(model, identities)) {
        return false;
      }
    }
    for (int i = 0; i < handles.size(); i++) {
      if (!handles.get(i).isCurrent()) {
        return false;
      }
    }
    return true;
  }

  private void take(ImmutableList<Handle> listed) {
    handles = listed;
    entries = listed.stream().map(Handle::entry).collect(ImmutableList.toImmutableList());
    identities =
        Stream.concat(
                listed.stream().filter(handle -> !handle.buffer),
                listed.stream().filter(handle -> handle.buffer))
            .mapToLong(Handle::identity)
            .toArray();
  }

  @Override
  public void close() {
    release(handles);
    take(ImmutableList.of());
  }

  private static void release(List<Handle> handles) {
    handles.forEach(handle -> Guards.release(handle.entry.tensor()));
  }

  private void requireOpen() {
    checkState(
        !model.isNull(),
        "the model is closed; keep it open while it is averaged, and make it outside of a"
            + " PointerScope that ends before");
  }

  /** Lists the model: module by module, of each the parameters and then the buffers. */
  private ImmutableList<Handle> listed() {
    requireOpen();
    List<Handle> listed = new ArrayList<>();
    try {
      Guards.freeingTemporaries(() -> list(listed));
      return ImmutableList.copyOf(listed);
    } catch (RuntimeException | Error e) {
      release(listed);
      throw e;
    }
  }

  private void list(List<Handle> listed) {
    ImmutableListMultimap<String, Named> parameters =
        Multimaps.index(network.parameters(model), Named::module);
    ImmutableListMultimap<String, Named> buffers =
        Multimaps.index(network.buffers(model), Named::module);
    Set<String> names = new HashSet<>();
    for (String module : network.modules(model)) {
      parameters.get(module).forEach(named -> listed.add(handle(named, false, names)));
      buffers.get(module).forEach(named -> listed.add(handle(named, true, names)));
    }
  }

  private Handle handle(Named named, boolean buffer, Set<String> names) {
    checkState(
        names.add(named.name()),
        "the model has a parameter and a buffer named '%s'; name them apart",
        named.name());
    String kind = buffer ? "buffer" : "parameter";
    try {
      TensorSpec spec = backend.describe(named.tensor());
      return Handle.of(named.name(), Guards.kept(new Tensor(named.tensor())), buffer, spec);
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException(
          kind + " '" + named.name() + "': " + e.getMessage(), e);
    }
  }
}
