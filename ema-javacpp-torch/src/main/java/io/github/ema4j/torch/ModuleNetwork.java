package io.github.ema4j.torch;

import com.google.common.collect.MapMaker;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Stream;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.StringSharedModuleDict;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Modules, those that a user writes in Java and LibTorch's own.
 *
 * @param <M> the Java type of the module
 */
final class ModuleNetwork<M extends Module> implements Network<M> {
  private static final String NATIVE = Module.class.getPackageName();

  private final Class<M> type;

  /** What owns the memory of each copy whose type is narrower than what LibTorch returned. */
  private final ConcurrentMap<M, Module> owners = new MapMaker().weakKeys().makeMap();

  ModuleNetwork(Class<M> type) {
    this.type = type;
  }

  @Override
  public List<String> modules(M model) {
    List<String> names = new ArrayList<>();
    StringSharedModuleDict modules = model.named_modules("", false);
    names.add("");
    for (long i = 0; i < modules.size(); i++) {
      names.add(Network.text(modules.get(i).key()));
    }
    return names;
  }

  @Override
  public List<Named> parameters(M model) {
    return named(model.named_parameters());
  }

  @Override
  public List<Named> buffers(M model) {
    return named(model.named_buffers());
  }

  private static List<Named> named(StringTensorDict dict) {
    List<Named> named = new ArrayList<>();
    for (long i = 0; i < dict.size(); i++) {
      StringTensorDictItem item = dict.get(i);
      named.add(new Named(Network.text(item.key()), item.value()));
    }
    return named;
  }

  @Override
  public List<Tensor> tensors(M model) {
    List<Tensor> tensors = new ArrayList<>();
    for (TensorVector vector : List.of(model.parameters(), model.buffers())) {
      for (long i = 0; i < vector.size(); i++) {
        tensors.add(vector.get(i));
      }
    }
    return tensors;
  }

  /**
   * {@inheritDoc}
   *
   * <p>To LibTorch a tensor is a pointer to what all of its handles share, and a list of tensors an
   * array of those. Mostly that array says it all; where it does not, the tensors are asked.
   */
  @Override
  public boolean hasTensors(M model, long[] identities) {
    boolean recurse = model.modules().size() > 1; // else it is a needless second copy of the list
    TensorVector parameters = model.parameters(recurse);
    TensorVector buffers = model.buffers(recurse);
    return (parameters.size() + buffers.size() == identities.length
            && areAt(parameters, identities, 0)
            && areAt(buffers, identities, (int) parameters.size()))
        || Network.super.hasTensors(model, identities);
  }

  private static boolean areAt(TensorVector vector, long[] identities, int begin) {
    int size = (int) vector.size();
    if (size == 0) {
      return true;
    }
    long[] pointers = new long[size];
    new LongPointer(vector.get(0)).get(pointers);
    return Arrays.equals(pointers, 0, size, identities, begin, begin + size);
  }

  /**
   * Copies a module of LibTorch's own. Cloning draws initial weights, which are overwritten: the
   * state of the random generator is put back, so that training goes on as without a copy.
   */
  @Override
  public M copy(M model) {
    if (!model.getClass().getPackageName().equals(NATIVE)) {
      throw new UnsupportedOperationException(
          refusal(model, "as it is a subclass in Java, of which LibTorch has no copy"));
    }
    List<M> copy = new ArrayList<>();
    Guards.withoutGradient(
        () -> {
          Generator random = torch.getDefaultCPUGenerator();
          Tensor state = random.get_state();
          try {
            Module clone = cloned(model);
            requireSameEntries(clone, model);
            copy.add(narrowed(Guards.kept(clone), model));
          } finally {
            random.set_state(state);
          }
        });
    return copy.get(0);
  }

  private Module cloned(M model) {
    try {
      return model.clone(new DeviceOptional());
    } catch (RuntimeException e) {
      throw new UnsupportedOperationException(refusal(model, "(" + Guards.firstLine(e) + ")"), e);
    }
  }

  /** Checks what a clone has: that of a {@code SequentialImpl} forgets names and other children. */
  private void requireSameEntries(Module clone, M model) {
    List<String> names = names(clone);
    if (!names.equals(names(model))) {
      throw new UnsupportedOperationException(
          refusal(model, "as LibTorch copies it with other entries, " + String.join(", ", names)));
    }
  }

  private static List<String> names(Module module) {
    return Stream.of(module.named_parameters(), module.named_buffers())
        .flatMap(dict -> named(dict).stream())
        .map(Named::name)
        .toList();
  }

  /** Returns the copy as the type that the user knows, such as {@code asLinear()}. */
  private M narrowed(Module copy, M model) {
    if (type == Module.class) {
      return type.cast(copy);
    }
    try {
      String method = "as" + type.getSimpleName().replaceFirst("Impl$", "");
      M narrow = type.cast(Module.class.getMethod(method).invoke(copy));
      owners.put(narrow, copy);
      return narrow;
    } catch (NoSuchMethodException | IllegalAccessException | InvocationTargetException e) {
      Guards.release(copy);
      throw new UnsupportedOperationException(
          refusal(model, "as the presets cannot narrow a copy to that type"), e);
    }
  }

  private String refusal(M model, String why) {
    return String.format(
        "cannot copy a %s %s; say how to make another one:"
            + " ModelEma.builder(TorchAdapter.of(%s.class)).module(() -> new %s(...))",
        model.getClass().getName(), why, type.getSimpleName(), model.getClass().getSimpleName());
  }

  @Override
  public void evaluate(M model) {
    model.eval();
  }

  @Override
  public void close(M model) {
    Module owner = owners.remove(model);
    model.close();
    if (owner != null) {
      Guards.release(owner);
      model.setNull(); // it points into what was freed
    }
  }
}
