package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.testkit.SeededModels.Values;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Checks that a backend's state dicts show a model as it is, and that its tensors are open to core.
 *
 * @param <M> the framework's model type
 * @param <T> the framework's tensor type
 */
public abstract class StateDictKit<M, T> extends RuleKit<M, T> {

  /** If this fails, look at the set that {@code capabilities} returns. */
  @Test
  @DisplayName("EMA-S01 The backend declares the mandatory capabilities")
  protected void declaresTheMandatoryCapabilities() {
    assertThat(subject().capabilities()).containsAll(Capability.mandatory());
  }

  /** If this fails, look at how {@code stateDict} walks the model: never through a hash map. */
  @Test
  @DisplayName("EMA-S02 Entries have the model's names, in the model's order")
  protected void entriesAreInTheModelsOrder() {
    StateDict<ArrayTensor> like = models().network();

    assertThat(names(view(newModel(like)))).isEqualTo(names(like));
  }

  /** If this fails, look at {@code describe}: types, the order of sizes, and the device. */
  @Test
  @DisplayName("EMA-S03 Entries tell type, shape and device")
  protected void entriesTellTypeShapeAndDevice() {
    for (ElementType type : types()) {
      StateDict<ArrayTensor> like = models().shapes(type);
      StateDict<T> view = view(newModel(like));
      for (int i = 0; i < like.entries().size(); i++) {
        TensorSpec spec = view.entries().get(i).spec();
        TensorSpec expected = like.entries().get(i).spec();
        assertThat(spec.type()).isEqualTo(expected.type());
        assertThat(spec.shape()).isEqualTo(expected.shape());
        assertThat(spec.device()).isEqualTo(Device.CPU);
        assertThat(spec).isEqualTo(backend().describe(view.entries().get(i).tensor()));
      }
    }
  }

  /** If this fails, look at how the adapter tells statistics from parameters, and integers. */
  @Test
  @DisplayName("EMA-S04 Entries tell parameters, statistics and counters apart")
  protected void entriesTellRoles() {
    StateDict<ArrayTensor> like = models().network();

    assertThat(view(newModel(like)).entries().stream().map(Entry::role).toList())
        .isEqualTo(like.entries().stream().map(Entry::role).toList());
  }

  /** If this fails, the state dict holds copies of the model's tensors. */
  @Test
  @DisplayName("EMA-S05 A state dict is a live view of the model")
  protected void stateDictsAreLive() {
    M model = model(filled(models().network(), 1, Values.ORDINARY));
    StateDict<T> kept = view(model);
    StateDict<ArrayTensor> later = filled(models().network(), 2, Values.ORDINARY);

    write(later, model);

    kept.refresh();
    assertSameBits("a view from before the write", bits(kept), bits(later));
  }

  /** If this fails, {@code memory} opens a copy. */
  @Test
  @DisplayName("EMA-S06 What is written to a tensor's memory is in the tensor")
  protected void memoryIsTheTensorsOwn() {
    for (ElementType type : types()) {
      T tensor = view(newModel(models().vector(type))).entries().get(0).tensor();
      long[] bits = bits(filled(models().vector(type), 3, Values.ORDINARY)).get(0);

      HostTensors.write(backend(), tensor, bits);

      assertThat(HostTensors.bits(backend(), tensor)).as("%s", type).isEqualTo(bits);
    }
  }

  /** If this fails, look at strides, at the size of an element and at borders of segments. */
  @Test
  @DisplayName("EMA-S07 Every element of every shape is reached, and no other")
  protected void everyElementIsReached() {
    for (ElementType type : types()) {
      for (StateDict<ArrayTensor> like : List.of(models().shapes(type), models().vector(type))) {
        StateDict<ArrayTensor> values = filled(like, 4, Values.SPECIAL);
        assertSameBits(type.toString(), bits(model(values)), bits(values));
      }
    }
  }

  /** If this fails, look at the buffers: their class, byte order, position and limit. */
  @Test
  @DisplayName("EMA-S08 Memory comes in native buffers of the element type, with room for all")
  protected void memoryHasTheRightBuffers() {
    for (ElementType type : types()) {
      for (Entry<T> entry : view(newModel(models().sizes(type))).entries()) {
        HostMemory memory = backend().memory(entry.tensor());
        assertThat(memory.elements())
            .as(entry.name())
            .isGreaterThanOrEqualTo(entry.spec().extent());
        Buffer buffer = memory.segmentAt(0);
        assertThat(buffer).isInstanceOf(bufferOf(type));
        assertThat(order(buffer)).isEqualTo(ByteOrder.nativeOrder());
        assertThat(buffer.isReadOnly()).isFalse();
      }
    }
  }

  /** If this fails, look at {@code storage}: space, begin with the view's offset, and bytes. */
  @Test
  @DisplayName("EMA-S09 Storage tells where a tensor lies")
  protected void storageTellsWhereATensorLies() {
    for (ElementType type : types()) {
      M model = newModel(models().shapes(type));
      List<Entry<T>> entries = view(model).entries();
      List<Entry<T>> again = view(model).entries();
      for (int i = 0; i < entries.size(); i++) {
        Storage storage = backend().storage(entries.get(i).tensor());
        TensorSpec spec = entries.get(i).spec();
        assertThat(storage.bytes()).as("%s", spec).isEqualTo(spec.extent() * type.bytes());
        assertThat(storage.isSameAs(backend().storage(again.get(i).tensor())))
            .as("the storage of %s is the same when asked again", spec)
            .isEqualTo(spec.elements() > 0);
        for (int k = 0; k < i; k++) {
          assertThat(storage.overlaps(backend().storage(entries.get(k).tensor()))).isFalse();
        }
      }
    }
  }

  /** If this fails, look at what identifies storage: two addresses that a hash makes one. */
  @Test
  @DisplayName("EMA-S10 Models that were made apart lie apart")
  protected void modelsLieApart() {
    List<Entry<T>> first = view(newModel(models().network())).entries();
    List<Entry<T>> second = view(newModel(models().network())).entries();

    for (Entry<T> one : first) {
      for (Entry<T> other : second) {
        assertThat(backend().storage(one.tensor()).overlaps(backend().storage(other.tensor())))
            .as("'%s' and '%s' of two models overlap", one.name(), other.name())
            .isFalse();
      }
    }
  }

  /** If this fails, look at how the adapter lists a tensor that the model has twice. */
  @Test
  @Needs(Capability.TIED)
  @DisplayName("EMA-S11 A tensor under two names has one storage")
  protected void tiedTensorsHaveOneStorage() {
    List<Entry<T>> entries = view(newModel(models().tied())).entries();

    assertThat(backend().storage(entries.get(0).tensor()))
        .matches(storage -> storage.isSameAs(backend().storage(entries.get(2).tensor())));
    assertThat(entries.get(0).spec()).isEqualTo(entries.get(2).spec());
  }

  /**
   * If this fails, look at {@code allocate}: types, shapes, gradients, and memory that is shared.
   */
  @Test
  @DisplayName("EMA-S12 Allocated tensors are as asked for, apart and writable")
  protected void allocatedTensorsAreAsAskedFor() {
    for (ElementType type : types()) {
      StateDict<ArrayTensor> like = filled(models().shapes(type), 5, Values.SPECIAL);
      List<TensorSpec> specs = like.entries().stream().map(Entry::spec).toList();
      List<T> tensors = backend().allocate(specs);
      later(() -> backend().release(tensors));
      for (int i = 0; i < specs.size(); i++) {
        assertThat(tensors.get(i)).isInstanceOf(backend().tensorType());
        assertThat(backend().describe(tensors.get(i))).isEqualTo(specs.get(i));
        HostTensors.write(backend(), tensors.get(i), bits(like).get(i));
      }
      assertSameBits(
          "allocated tensors, after all were written",
          tensors.stream().map(tensor -> HostTensors.bits(backend(), tensor)).toList(),
          bits(like));
    }
  }

  /** If this fails, look at {@code release}, and at whether tensors know that they are closed. */
  @Test
  @DisplayName("EMA-S13 A released tensor is refused")
  protected void releasedTensorsAreRefused() {
    List<T> tensors = backend().allocate(List.of(TensorSpec.contiguous(ElementType.F32, 3)));
    T tensor = tensors.get(0);
    backend().release(tensors);

    assertThatIllegalStateException().isThrownBy(() -> backend().describe(tensor));
    assertThatIllegalStateException().isThrownBy(() -> backend().memory(tensor));
    assertThatIllegalStateException().isThrownBy(() -> backend().storage(tensor));
  }

  /** If this fails, the state dict makes new handles at each look, or compares them by content. */
  @Test
  @DisplayName("EMA-S14 A model that did not move is not said to have moved")
  protected void refreshIsQuietWhereNothingMoved() {
    M model = model(filled(models().network(), 6, Values.ORDINARY));
    StateDict<T> view = view(model);
    List<Entry<T>> before = List.copyOf(view.entries());

    write(filled(models().network(), 7, Values.ORDINARY), model);

    assertThat(view.refresh()).isFalse();
    for (int i = 0; i < before.size(); i++) {
      assertThat(view.entries().get(i).tensor()).isSameAs(before.get(i).tensor());
    }
  }

  /** If this fails, {@code refresh} compares too little, or an address is kept. */
  @Test
  @Needs(Capability.MOVING)
  @DisplayName("EMA-S15 A model that moved is followed")
  protected void refreshFollowsAModelThatMoved() {
    StateDict<ArrayTensor> values = filled(models().network(), 8, Values.ORDINARY);
    M model = model(values);
    StateDict<T> view = view(model);
    subject().relocate(model);
    StateDict<ArrayTensor> later = filled(models().network(), 9, Values.ORDINARY);

    view.refresh();
    assertSameBits("values that moved along", bits(view), bits(values));
    write(later, model);
    assertSameBits("values written after the move", bits(view), bits(later));
  }

  /** If this fails, closing a view frees tensors that are the model's. */
  @Test
  @DisplayName("EMA-S16 Closing a state dict leaves the model alone")
  protected void closingAViewLeavesTheModel() {
    StateDict<ArrayTensor> values = filled(models().network(), 10, Values.ORDINARY);
    M model = model(values);
    adapter().stateDict(model).close();

    assertSameBits("the model", bits(model), bits(values));
  }

  /** If this fails, {@code allocate} ignores strides, or {@code describe} does. */
  @Test
  @Needs(Capability.STRIDED)
  @DisplayName("EMA-S17 Strided tensors are described and allocated with their strides")
  protected void stridesAreKept() {
    for (ElementType type : types()) {
      StateDict<ArrayTensor> like = filled(models().transposed(type), 11, Values.ORDINARY);
      List<TensorSpec> specs = like.entries().stream().map(Entry::spec).toList();

      assertThat(view(model(like)).entries().stream().map(Entry::spec).toList()).isEqualTo(specs);
      List<T> tensors = backend().allocate(specs);
      later(() -> backend().release(tensors));
      assertThat(tensors.stream().map(backend()::describe).toList()).isEqualTo(specs);
    }
  }

  /** If this fails, {@code describe} takes a view for a row-major tensor: its writes are lost. */
  @Test
  @Lacks(Capability.STRIDED)
  @DisplayName("EMA-S18 Strided tensors are refused where the backend has none")
  protected void stridedTensorsAreRefused() {
    TensorSpec strided =
        new TensorSpec(
            ElementType.F32, ImmutableLongArray.of(3, 4), ImmutableLongArray.of(1, 3), Device.CPU);
    List<T> rowMajor = backend().allocate(List.of(strided));
    later(() -> backend().release(rowMajor));
    assertThat(backend().describe(rowMajor.get(0))).isEqualTo(strided.withRowMajorStrides());

    T tensor = view(newModel(models().matrix())).entries().get(0).tensor();
    subject()
        .transposed(tensor)
        .ifPresent(
            view ->
                assertThatThrownBy(() -> backend().describe(view))
                    .isInstanceOf(UnsupportedOperationException.class));
  }

  /** If this fails, look at the message, and that nothing native runs before it. */
  @Test
  @DisplayName("EMA-S19 Types that the backend has not are refused by name")
  protected void otherTypesAreRefused() {
    Set<ElementType> others = EnumSet.allOf(ElementType.class);
    others.removeAll(types());
    for (ElementType type : others) {
      assertThatThrownBy(() -> backend().allocate(List.of(TensorSpec.contiguous(type, 2))))
          .as("allocating %s", type)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining(type.name());
    }
  }

  /** If this fails, a device is taken for the host. */
  @Test
  @DisplayName("EMA-S20 Devices that the backend has not are refused by name")
  protected void otherDevicesAreRefused() {
    Device nowhere = new Device("nowhere", 3);

    assertThatThrownBy(
            () ->
                backend()
                    .allocate(
                        List.of(TensorSpec.contiguous(ElementType.F32, 2).withDevice(nowhere))))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining(nowhere.toString());
  }

  /** If this fails, look at conversions of sizes to int. */
  @Test
  @Lacks(Capability.ABOVE_2_GIB)
  @DisplayName("EMA-S21 Tensors above 2 GiB are refused where the backend has none")
  protected void hugeTensorsAreRefused() {

    assertThatThrownBy(
            () -> backend().allocate(List.of(TensorSpec.contiguous(ElementType.F32, 1L << 31))))
        .isInstanceOfAny(UnsupportedOperationException.class, IllegalArgumentException.class)
        .hasMessageContaining(String.valueOf(1L << 31));
  }

  /** If this fails, look at the segments: all but the last of one length, in elements. */
  @Test
  @Tag("full")
  @Needs(Capability.ABOVE_2_GIB)
  @DisplayName("EMA-S22 Tensors above 2 GiB are reached to their last element")
  protected void hugeTensorsAreReached() {
    long elements = (1L << 29) + 5;
    List<T> tensors = backend().allocate(List.of(TensorSpec.contiguous(ElementType.F32, elements)));
    later(() -> backend().release(tensors));
    HostMemory memory = backend().memory(tensors.get(0));
    long[] places = {0, 1, (1L << 28) - 1, 1L << 28, (1L << 29) - 1, 1L << 29, elements - 1};

    for (long place : places) {
      ((FloatBuffer) memory.segmentAt(place)).put(memory.indexAt(place), (float) place);
    }

    HostMemory again = backend().memory(tensors.get(0));
    assertThat(again.elements()).isEqualTo(elements);
    for (long place : places) {
      assertThat(((FloatBuffer) again.segmentAt(place)).get(again.indexAt(place)))
          .isEqualTo((float) place);
    }
  }

  /** If this fails, the framework's copy shares tensors with the model, or starts anew. */
  @Test
  @Needs(Capability.COPY)
  @DisplayName("EMA-S23 A copy of a model has its names and values, in memory of its own")
  protected void copiesAreApart() {
    StateDict<ArrayTensor> values = filled(models().network(), 12, Values.SPECIAL);
    M model = model(values);
    M copy = adapter().copy(model);
    later(() -> adapter().releaseCopy(copy));
    adapter().evaluationMode(copy);
    assertThat(names(view(copy))).isEqualTo(names(values));
    assertSameBits("the copy", bits(copy), bits(values));

    write(filled(models().network(), 13, Values.ORDINARY), copy);

    assertSameBits("the model, after its copy was written", bits(model), bits(values));
  }

  /** If this fails, say in the message how a supplier is passed. */
  @Test
  @Lacks(Capability.COPY)
  @DisplayName("EMA-S24 Where the framework cannot copy a model, the message shows the supplier")
  protected void copyIsRefusedWithAWayOut() {
    M model = newModel(models().network());

    assertThatThrownBy(() -> adapter().copy(model))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("module(");
  }

  /** If this fails, look at {@code withoutGradient}: what is thrown must come out as it is. */
  @Test
  @DisplayName("EMA-S25 Work without gradients runs once, at once, and its failure comes out")
  protected void workWithoutGradientRunsOnce() {
    List<Thread> threads = new ArrayList<>();
    backend().withoutGradient(() -> threads.add(Thread.currentThread()));
    assertThat(threads).containsExactly(Thread.currentThread());

    IllegalStateException failure = new IllegalStateException("made to fail");
    assertThatThrownBy(
            () ->
                backend()
                    .withoutGradient(
                        () -> {
                          throw failure;
                        }))
        .isSameAs(failure);
  }

  private M newModel(StateDict<ArrayTensor> like) {
    M model = subject().newModel(like);
    later(() -> subject().release(model));
    return model;
  }

  private static Class<? extends Buffer> bufferOf(ElementType type) {
    return switch (type) {
      case F64 -> DoubleBuffer.class;
      case F32 -> FloatBuffer.class;
      case I64 -> LongBuffer.class;
      case I32 -> IntBuffer.class;
      case F16, BF16, I16 -> ShortBuffer.class;
      case I8, U8, BOOL -> ByteBuffer.class;
    };
  }

  private static ByteOrder order(Buffer buffer) {
    if (buffer instanceof DoubleBuffer doubles) {
      return doubles.order();
    } else if (buffer instanceof FloatBuffer floats) {
      return floats.order();
    } else if (buffer instanceof LongBuffer longs) {
      return longs.order();
    } else if (buffer instanceof IntBuffer ints) {
      return ints.order();
    } else if (buffer instanceof ShortBuffer shorts) {
      return shorts.order();
    }
    return ByteOrder.nativeOrder(); // for single bytes there is none
  }
}
