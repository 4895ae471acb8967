package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.Iterables;
import com.google.common.collect.MoreCollectors;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Small models of arrays and averages of them. */
final class Models {

  /** Signalling and quiet NaNs with payloads, zeros of both signs, and the ends of the range. */
  private static final int[] ODD_BITS = {
    0x7f80_0001, 0xffc1_2345, 0x7fa0_0000, 0x8000_0000, 0, 0x7f80_0000, 1, 0x7f7f_ffff, 0x3f80_0000
  };

  private Models() {}

  static ArrayTensor tensor(float... values) {
    return ArrayTensor.of(values, values.length);
  }

  static StateDict<ArrayTensor> model(String name, float... values) {
    return dict().parameter(name, tensor(values)).build();
  }

  static StateDict.Builder<ArrayTensor> dict() {
    return StateDict.builder(ArrayBackend.instance());
  }

  /** Starts an average that takes whatever a model has, odd values included. */
  static ModelEma.Builder<StateDict<ArrayTensor>> averaging() {
    return ModelEma.builder(ArrayBackend.adapter()).guard(NonFiniteGuard.ACCEPT);
  }

  /** Returns an average with a decay of one half, where small whole numbers stay exact. */
  static ModelEma<StateDict<ArrayTensor>> halving(StateDict<ArrayTensor> model) {
    return averaging().strategy(EmaStrategy.nameMatched(0.5)).build(model);
  }

  /** Returns values that only a copy of the bits preserves. */
  static float[] oddValues() {
    float[] values = new float[ODD_BITS.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(ODD_BITS[i]);
    }
    return values;
  }

  static void assertOddValues(float[] actual) {
    for (int i = 0; i < ODD_BITS.length; i++) {
      assertThat(Float.floatToRawIntBits(actual[i])).as("bits %d", i).isEqualTo(ODD_BITS[i]);
    }
  }

  /** Returns the array, offset 0, of the only float32 entry. */
  static float[] floats(StateDict<?> dict) {
    return (float[]) array(Iterables.getOnlyElement(dict.entries()).tensor());
  }

  static float[] floats(StateDict<?> dict, String name) {
    return (float[]) array(entry(dict, name).tensor());
  }

  static long[] longs(StateDict<?> dict, String name) {
    return (long[]) array(entry(dict, name).tensor());
  }

  static StateDict.Entry<?> entry(StateDict<?> dict, String name) {
    return dict.entries().stream()
        .filter(entry -> entry.name().equals(name))
        .collect(MoreCollectors.onlyElement());
  }

  static List<String> names(StateDict<?> dict) {
    return dict.entries().stream().<String>map(StateDict.Entry::name).toList();
  }

  static void release(ArrayTensor... tensors) {
    ArrayBackend.instance().release(List.of(tensors));
  }

  private static Object array(Object tensor) {
    return tensor instanceof HandleBackend.Handle handle
        ? handle.array().array()
        : ((ArrayTensor) tensor).array();
  }

  /** A model whose tensors come, go and move; it says so as a framework's state dict does. */
  static final class Changing implements StateDict<ArrayTensor> {
    private final Map<String, ArrayTensor> tensors = new LinkedHashMap<>();
    private List<Entry<ArrayTensor>> entries = List.of();
    private boolean changed;

    Changing with(String name, ArrayTensor tensor) {
      tensors.put(name, tensor);
      changed = true;
      return this;
    }

    @Override
    public TensorBackend<ArrayTensor> backend() {
      return ArrayBackend.instance();
    }

    @Override
    public List<Entry<ArrayTensor>> entries() {
      return entries;
    }

    @Override
    public boolean refresh() {
      boolean moved = changed;
      changed = false;
      if (moved) {
        List<Entry<ArrayTensor>> now = new ArrayList<>();
        tensors.forEach(
            (name, tensor) ->
                now.add(new Entry<>(name, tensor, backend().describe(tensor), Role.PARAMETER)));
        entries = List.copyOf(now);
      }
      return moved;
    }
  }
}
