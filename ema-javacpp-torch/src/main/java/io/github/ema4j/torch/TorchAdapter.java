package io.github.ema4j.torch;

import static java.util.Objects.requireNonNull;

import io.github.ema4j.StateDict;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.spi.TensorBackend;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Binds LibTorch's models to averages.
 *
 * <pre>{@code
 * ModelEma<Net> ema =
 *     ModelEma.builder(TorchAdapter.of(Net.class))
 *         .strategy(EmaStrategy.nameMatched(0.999))
 *         .module(Net::new)
 *         .build(net);
 * for (...) {
 *   optimizer.step();
 *   ema.update(net);
 * }
 * }</pre>
 *
 * <p>Entries are the parameters and buffers, module by module, of each the parameters first: the
 * order of PyTorch's {@code state_dict()}, under its names. A module that is registered twice is
 * listed under both names, and averaged once. Parameters that require no gradient are {@link
 * io.github.ema4j.Role#FROZEN}; buffers are {@link io.github.ema4j.Role#STATISTIC}s; integers, and
 * {@code num_batches_tracked} of whatever type, are {@link io.github.ema4j.Role#COUNTER}s. What an
 * update does with an entry is decided when the average starts: freezing later changes the role
 * that the state dict shows, not the treatment.
 *
 * <p>Averages follow a model through {@code to(type)} and {@code to(device)} where the type or
 * device of the average was named, and refuse it otherwise. Thread-safe for different models; the
 * calling thread's gradient mode is left as it was.
 *
 * @param <M> the type of the model
 */
public final class TorchAdapter<M extends Pointer> implements ModelAdapter<M, Tensor> {
  private static final TorchAdapter<JitModule> SCRIPTS = new TorchAdapter<>(new ScriptNetwork());

  private final Network<M> network;

  private TorchAdapter(Network<M> network) {
    this.network = network;
  }

  /**
   * Returns an adapter for modules.
   *
   * @param type what {@code module()} of an average is to be: a class of one's own, one of LibTorch
   *     such as {@code SequentialImpl}, or {@code Module} for any
   */
  public static <M extends Module> TorchAdapter<M> of(Class<M> type) {
    return new TorchAdapter<>(new ModuleNetwork<>(requireNonNull(type, "type")));
  }

  /** Returns the adapter for TorchScript modules. */
  public static TorchAdapter<JitModule> ofScripts() {
    return SCRIPTS;
  }

  @Override
  public TensorBackend<Tensor> backend() {
    return TorchBackend.instance();
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException if the model is closed, or has a parameter and a buffer of one
   *     name
   * @throws UnsupportedOperationException if the backend refuses a tensor, naming it
   */
  @Override
  public StateDict<Tensor> stateDict(M model) {
    return new TorchStateDict<>(TorchBackend.instance(), network, model);
  }

  /**
   * Returns a copy of a TorchScript module, or of a module of LibTorch's own.
   *
   * @throws UnsupportedOperationException if the module is written in Java, or has such a one in
   *     it, with the call that passes a supplier
   */
  @Override
  public M copy(M model) {
    return network.copy(model);
  }

  /** Calls {@code eval()}, and turns off the gradients of all parameters. */
  @Override
  public void evaluationMode(M copy) {
    network.evaluate(copy);
    Guards.freeingTemporaries(
        () -> network.parameters(copy).forEach(named -> dropGradient(named.tensor())));
  }

  private static void dropGradient(Tensor parameter) {
    if (parameter.is_leaf()) {
      parameter.requires_grad_(false);
    } else { // of a TorchScript module that was copied while gradients were recorded
      parameter.detach_();
    }
  }

  /**
   * Frees a copy and the memory of its tensors, whoever else holds a handle to them: these are
   * empty then.
   */
  @Override
  public void releaseCopy(M copy) {
    if (!copy.isNull()) {
      Guards.withoutGradient(() -> network.tensors(copy).forEach(TorchAdapter::empty));
      network.close(copy);
    }
  }

  private static void empty(Tensor tensor) {
    tensor.set_data(torch.empty(new long[] {0}, tensor.options(), new MemoryFormatOptional()));
  }
}
