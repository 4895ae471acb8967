package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.function.Supplier;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A live view of what a model lists as its arrays. */
final class LiveStateDict implements StateDict<INDArray> {

  /**
   * An array as the model has it.
   *
   * @param role what it is to the model, if it is of floating-point numbers
   */
  record Source(String name, INDArray array, Role role) {

    TensorSpec describe() {
      checkState(
          !array.wasClosed(), "'%s' is closed; keep the model open while it is averaged", name);
      try {
        return Dl4jBackend.instance().describe(array);
      } catch (UnsupportedOperationException e) {
        throw new UnsupportedOperationException("'" + name + "': " + e.getMessage(), e);
      }
    }

    Entry<INDArray> entry() {
      TensorSpec spec = describe();
      return new Entry<>(name, array, spec, spec.type().isFloating() ? role : Role.COUNTER);
    }

    @SuppressWarnings("ReferenceEquality") // INDArrays are equal where their contents are
    boolean isAt(Entry<INDArray> entry) {
      return array == entry.tensor()
          && name.equals(entry.name())
          && describe().equals(entry.spec());
    }
  }

  private final Supplier<List<Source>> lister;
  private List<Entry<INDArray>> entries;

  /**
   * Makes a view.
   *
   * @param lister lists the model's arrays as they are now, in its order
   */
  LiveStateDict(Supplier<List<Source>> lister) {
    this.lister = lister;
    entries = listed(lister.get());
  }

  @Override
  public TensorBackend<INDArray> backend() {
    return Dl4jBackend.instance();
  }

  @Override
  public List<Entry<INDArray>> entries() {
    return entries;
  }

  /**
   * {@inheritDoc}
   *
   * <p>What was frozen or released has another role from now on, which is no move.
   */
  @Override
  public boolean refresh() {
    List<Source> now = lister.get();
    boolean moved = now.size() != entries.size();
    for (int i = 0; i < now.size() && !moved; i++) {
      moved = !now.get(i).isAt(entries.get(i));
    }
    entries = listed(now);
    return moved;
  }

  private static List<Entry<INDArray>> listed(List<Source> sources) {
    return sources.stream().map(Source::entry).collect(ImmutableList.toImmutableList());
  }
}
