package io.github.ema4j.dl4j;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;
import java.util.function.Consumer;
import org.nd4j.linalg.api.ndarray.INDArray;

/** A live view of what a model lists as its arrays. */
final class LiveStateDict implements StateDict<INDArray> {
  private final Consumer<Sink> lister;
  private ImmutableList<Entry<INDArray>> entries;

  /** Takes a model's arrays as the model has them, one after another. */
  interface Sink {
    /**
     * Takes one.
     *
     * @param prefix what its name begins with
     * @param key the rest of its name
     * @param role what it is to the model, if it is of floating-point numbers
     */
    void accept(String prefix, String key, INDArray array, Role role);
  }

  /**
   * Makes a view.
   *
   * @param lister lists the model's arrays as they are now, in its order
   */
  LiveStateDict(Consumer<Sink> lister) {
    this.lister = lister;
    entries = listed();
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
    Comparison comparison = new Comparison(entries);
    lister.accept(comparison);
    boolean moved = comparison.hasMoved();
    if (moved || comparison.hasOtherRoles) {
      entries = listed();
    }
    return moved;
  }

  private ImmutableList<Entry<INDArray>> listed() {
    ImmutableList.Builder<Entry<INDArray>> listed = ImmutableList.builder();
    lister.accept(
        (prefix, key, array, role) -> {
          String name = prefix + key;
          requireOpen(array, prefix, key);
          TensorSpec spec = describe(name, array);
          listed.add(new Entry<>(name, array, spec, roleOf(spec, role)));
        });
    return listed.build();
  }

  private static void requireOpen(INDArray array, String prefix, String key) {
    checkState(
        !array.wasClosed(),
        "'%s%s' is closed; keep the model open while it is averaged",
        prefix,
        key);
  }

  private static TensorSpec describe(String name, INDArray array) {
    try {
      return Dl4jBackend.instance().describe(array);
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException("'" + name + "': " + e.getMessage(), e);
    }
  }

  private static Role roleOf(TensorSpec spec, Role role) {
    return spec.type().isFloating() ? role : Role.COUNTER;
  }

  /** Compares what is listed with what was listed, without listing it. */
  private static final class Comparison implements Sink {
    private final ImmutableList<Entry<INDArray>> before;
    private int seen;
    private boolean differs;
    private boolean hasOtherRoles;

    Comparison(ImmutableList<Entry<INDArray>> before) {
      this.before = before;
    }

    @Override
    public void accept(String prefix, String key, INDArray array, Role role) {
      requireOpen(array, prefix, key);
      if (seen < before.size()) {
        Entry<INDArray> entry = before.get(seen);
        differs |= !isSame(entry, prefix, key, array);
        hasOtherRoles |= entry.role() != roleOf(entry.spec(), role);
      }
      seen++;
    }

    @SuppressWarnings("ReferenceEquality") // INDArrays are equal where their contents are
    private static boolean isSame(
        Entry<INDArray> entry, String prefix, String key, INDArray array) {
      String name = entry.name();
      return array == entry.tensor()
          && name.length() == prefix.length() + key.length()
          && name.startsWith(prefix)
          && name.endsWith(key)
          && Dl4jBackend.looksLike(array, entry.spec());
    }

    boolean hasMoved() {
      return differs || seen != before.size();
    }
  }
}
