package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.ema4j.ElementType;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.ShadowType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.torch.Nets.Net;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleListImpl;
import org.bytedeco.pytorch.ReLUImpl;
import org.bytedeco.pytorch.SequentialImpl;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try") // scopes and guards are open for as long as they are not closed
class TorchAdapterTest {
  private static final TorchAdapter<Net> ADAPTER = TorchAdapter.of(Net.class);

  private static ModelEma.Builder<Net> average() {
    return ModelEma.builder(ADAPTER).strategy(EmaStrategy.nameMatched(0.5)).module(Net::new);
  }

  /** A network in a network, once more under another name, and tensors of its own. */
  private static final class Outer extends Module {
    final Net net = Nets.seeded(1);

    Outer() {
      register_parameter("gain", torch.ones(1));
      register_parameter("fixed", torch.ones(1), false);
      register_module("net", net);
      register_module("again", net.first);
      register_buffer("steps", Nets.tensor(ScalarType.Long, 1));
    }
  }

  @Test
  void entriesComeModuleByModuleParametersFirst() {
    try (StateDict<Tensor> dict = TorchAdapter.of(Outer.class).stateDict(new Outer())) {
      assertThat(dict.entries())
          .extracting(Entry::name, Entry::role)
          .containsExactly(
              tuple("gain", Role.PARAMETER),
              tuple("fixed", Role.FROZEN),
              tuple("steps", Role.COUNTER),
              tuple("net.scale", Role.STATISTIC),
              tuple("net.first.weight", Role.PARAMETER),
              tuple("net.first.bias", Role.PARAMETER),
              tuple("net.norm.weight", Role.PARAMETER),
              tuple("net.norm.bias", Role.PARAMETER),
              tuple("net.norm.running_mean", Role.STATISTIC),
              tuple("net.norm.running_var", Role.STATISTIC),
              tuple("net.norm.num_batches_tracked", Role.COUNTER),
              tuple("net.last.weight", Role.PARAMETER),
              tuple("net.last.bias", Role.PARAMETER),
              tuple("again.weight", Role.PARAMETER),
              tuple("again.bias", Role.PARAMETER));
    }
  }

  @Test
  void aModuleThatIsRegisteredTwiceIsAveragedOnce() {
    Outer outer = new Outer();
    TorchAdapter<Outer> adapter = TorchAdapter.of(Outer.class);
    float before = Nets.weights(adapter, outer).get("again.bias").get(0);
    try (ModelEma<Outer> ema =
        ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(0.5)).build(outer)) {
      Guards.withoutGradient(() -> outer.net.first.bias().fill_(torch.ones(new long[0])));
      ema.update(outer);
      assertThat(Nets.values(ema.state()).get("again.bias").get(0)).isEqualTo((before + 1) / 2);
      assertThat(Nets.values(ema.state()).get("net.first.bias").get(0)).isEqualTo((before + 1) / 2);
    }
  }

  @Test
  void weightsThatAreTiedWhileTrainingAreAveragedApartAndNotSwapped() {
    Net net = Nets.seeded(2);
    net.register_parameter("spare", Nets.tensor(ScalarType.Float, 8));
    try (ModelEma<Net> ema = average().build(net)) {
      ema.update(net);
      ema.swapInto(net).close();
      net.named_parameters().get("spare").set_data(net.first.bias());
      ema.update(net);
      float bias = Nets.weights(net).get("first.bias").get(0);
      assertThat(Nets.values(ema.state()).get("spare").get(0)).isEqualTo((1 + bias) / 2);
      assertThat(Nets.values(ema.state()).get("first.bias").get(0)).isEqualTo(bias);
      assertThatThrownBy(() -> ema.swapInto(net))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("'spare' and 'first.bias' are tied in the model but not in");
    }
  }

  @Test
  void aParameterAndABufferOfOneNameAreRefused() {
    Net net = Nets.seeded(3);
    net.register_parameter("scale", torch.ones(1));
    assertThatThrownBy(() -> ADAPTER.stateDict(net))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("a parameter and a buffer named 'scale'");
  }

  @Test
  void aTensorThatCannotBeAveragedIsNamed() {
    Net net = Nets.seeded(4);
    net.register_buffer("table", torch.ones(3).to_sparse());
    assertThatThrownBy(() -> ADAPTER.stateDict(net))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("buffer 'table': a Tensor of layout Sparse cannot be averaged");
  }

  @Test
  void aClosedModelIsRefusedAndTheAverageKept() {
    Net net = Nets.seeded(5);
    try (ModelEma<Net> ema = average().build(net)) {
      net.close();
      assertThatThrownBy(() -> ema.update(net))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the model is closed");
      assertThat(ema.progress().updates()).isZero();
      assertThat(Nets.values(ema.state())).isNotEmpty();
    }
  }

  @Test
  void aHandleFollowsAModelThatIsCastButItsAddressDoesNot() {
    Net net = Nets.seeded(6);
    long pointers = live();
    try (StateDict<Tensor> dict = ADAPTER.stateDict(net)) {
      Tensor handle = dict.entries().get(1).tensor();
      long address = TorchBackend.address(handle);
      net.to(ScalarType.Double, false);
      assertThat(handle.scalar_type().intern()).isEqualTo(ScalarType.Double);
      assertThat(TorchBackend.address(handle)).isNotEqualTo(address);
      assertThat(dict.refresh()).isTrue();
      assertThat(dict.refresh()).isFalse();
      assertThat(dict.entries().get(1).spec().type()).isEqualTo(ElementType.F64);
    }
    assertThat(live()).isEqualTo(pointers);
  }

  @Test
  void aModelThatIsCastIsFollowedWhereTheTypeWasNamedAndRefusedElse() {
    LinearImpl linear = new LinearImpl(2, 2);
    TorchAdapter<LinearImpl> adapter = TorchAdapter.of(LinearImpl.class);
    ModelEma.Builder<LinearImpl> builder =
        ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(0.5));
    try (ModelEma<LinearImpl> unnamed = builder.build(linear);
        ModelEma<LinearImpl> named = builder.shadowType(ShadowType.F32).build(linear)) {
      float start = Nets.weights(adapter, linear).get("bias").get(0);
      linear.to(ScalarType.Double, false);
      Nets.shift(linear, 1);
      assertThatThrownBy(() -> unnamed.update(linear))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("type mismatch for 'bias': average has F32, model has F64");
      named.update(linear);
      assertThat(Nets.values(named.state()).get("bias").get(0)).isEqualTo(start + 0.5f);
    }
  }

  @Test
  void aTensorThatIsTransposedWhereItLiesIsFollowed() {
    LinearImpl linear = new LinearImpl(3, 3);
    TorchAdapter<LinearImpl> adapter = TorchAdapter.of(LinearImpl.class);
    try (ModelEma<LinearImpl> ema =
        ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(0)).build(linear)) {
      ema.update(linear);
      long address = TorchBackend.address(linear.weight());
      linear.weight().set_data(linear.weight().t());
      assertThat(TorchBackend.address(linear.weight())).isEqualTo(address);
      ema.update(linear);
      assertThat(Nets.values(ema.state())).isEqualTo(Nets.weights(adapter, linear));
    }
  }

  @Test
  void castingAModuleCastsItsCountersToo() {
    Net net = Nets.seeded(7);
    net.to(ScalarType.BFloat16, false);
    try (StateDict<Tensor> dict = ADAPTER.stateDict(net)) {
      assertThat(dict.entries())
          .filteredOn(entry -> entry.name().equals("norm.num_batches_tracked"))
          .extracting(Entry::role, entry -> entry.spec().type())
          .containsExactly(tuple(Role.COUNTER, ElementType.BF16));
    }
  }

  @Test
  void aReplacedModuleIsFollowedAndAnotherShapeRefused() {
    Net net = Nets.seeded(8);
    try (ModelEma<Net> ema = average().build(net)) {
      ema.update(net);
      LinearImpl same = replace(net, new LinearImpl(8, Nets.CLASSES));
      ema.set(net);
      assertThat(Nets.values(ema.state()).get("last.bias"))
          .isEqualTo(Nets.weights(net).get("last.bias"));
      assertThat(same.isNull()).isFalse();
      LinearImpl wider = replace(net, new LinearImpl(8, 5));
      assertThatThrownBy(() -> ema.update(net))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("shape mismatch for 'last.weight'");
      assertThat(wider.isNull()).isFalse();
    }
  }

  private static LinearImpl replace(Net net, LinearImpl linear) {
    net.unregister_module("last");
    return net.register_module("last", linear);
  }

  @Test
  void aModuleWithoutOthersIsFollowedToo() {
    Module leaf = new Module("leaf");
    Tensor gain = leaf.register_parameter("gain", torch.ones(2), false);
    try (ModelEma<Module> ema =
        ModelEma.builder(TorchAdapter.of(Module.class))
            .strategy(EmaStrategy.nameMatched(0.5))
            .build(leaf)) {
      gain.set_data(torch.zeros(2));
      ema.update(leaf);
      assertThat(Nets.values(ema.state()).get("gain")).containsExactly(0.5f, 0.5f);
      leaf.register_buffer("mean", torch.ones(2));
      assertThatThrownBy(() -> ema.update(leaf))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("mean");
    }
  }

  @Test
  void aModuleWrittenInJavaIsNotCopiedAndTheMessageShowsTheSupplier() {
    Net net = Nets.seeded(9);
    assertThatThrownBy(() -> net.clone(new DeviceOptional()))
        .hasMessageContaining("clone() has not been implemented");
    assertThatThrownBy(() -> ADAPTER.copy(net))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("ModelEma.builder(TorchAdapter.of(Net.class)).module(() -> new Net(");
    SequentialImpl holder = new SequentialImpl();
    holder.register_module("net", net);
    assertThatThrownBy(() -> TorchAdapter.of(SequentialImpl.class).copy(holder))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("copies it with other entries")
        .hasMessageContaining("TorchAdapter.of(SequentialImpl.class)");
    ModuleListImpl list = new ModuleListImpl();
    list.push_back(net);
    assertThatThrownBy(() -> TorchAdapter.of(ModuleListImpl.class).copy(list))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("clone() has not been implemented")
        .hasMessageNotContaining("frame #0");
  }

  @Test
  void namesThatACopyWouldLoseAreKeptByRefusingIt() {
    SequentialImpl named = new SequentialImpl();
    named.push_back("linear", new LinearImpl(3, 3));
    assertThatThrownBy(() -> TorchAdapter.of(SequentialImpl.class).copy(named))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("copies it with other entries, 0.weight, 0.bias");
  }

  @Test
  void aModuleOfLibTorchIsCopiedAsItsOwnTypeAndNoRandomNumberIsDrawn() {
    torch.manual_seed(10);
    SequentialImpl model = new SequentialImpl();
    model.push_back(new LinearImpl(3, 3));
    model.push_back(new ReLUImpl());
    TorchAdapter<SequentialImpl> adapter = TorchAdapter.of(SequentialImpl.class);
    Tensor input = torch.ones(2, 3);
    torch.manual_seed(11);
    float[] expected = Nets.floats(torch.rand(4));
    torch.manual_seed(11);
    try (ModelEma<SequentialImpl> ema =
        ModelEma.builder(adapter).strategy(EmaStrategy.nameMatched(0.5)).build(model)) {
      SequentialImpl copy;
      try (PointerScope scope = new PointerScope()) {
        copy = ema.module();
      }
      System.gc();
      assertThat(Nets.floats(torch.rand(4))).isEqualTo(expected);
      assertThat(Nets.floats(copy.forward(input))).isEqualTo(Nets.floats(model.forward(input)));
      assertThat(copy.is_training()).isFalse();
      assertThat(model.is_training()).isTrue();
      assertThat(copy.parameters().get(0).requires_grad()).isFalse();
      assertThat(model.parameters().get(0).requires_grad()).isTrue();
      Nets.shift(model, 1);
      assertThat(Nets.weights(adapter, copy)).isNotEqualTo(Nets.weights(adapter, model));
      ema.close();
      assertThat(copy.isNull()).isTrue();
    }
  }

  @Test
  void theModuleOfAClosedAverageIsFreedAndAHandleToItsWeightsIsEmpty() {
    Net net = Nets.seeded(12);
    ModelEma<Net> ema = average().build(net);
    Net module = ema.module();
    Tensor weight = new Tensor(module.first.weight());
    ema.close();
    assertThat(module.isNull()).isTrue();
    assertThat(weight.numel()).isZero();
    assertThat(net.first.weight().numel()).isEqualTo(48);
  }

  @Test
  void gradientsAreRecordedAsBeforeOnEachThread() throws Exception {
    Net net = Nets.seeded(13);
    var thread = Executors.newSingleThreadExecutor();
    try (ModelEma<Net> ema = average().build(net)) {
      for (boolean recorded : new boolean[] {true, false}) {
        Future<Boolean> other =
            thread.submit(
                () -> {
                  GradMode.set_enabled(recorded);
                  ema.update(net);
                  ema.update(net, Tensor.class, (average, model, decay) -> average.copy_(model));
                  ema.module();
                  return GradMode.is_enabled();
                });
        assertThat(other.get()).isEqualTo(recorded);
      }
      assertThat(GradMode.is_enabled()).isTrue();
      assertThat(net.first.weight().requires_grad()).isTrue();
      assertThat(net.first.weight().is_leaf()).isTrue();
    } finally {
      thread.shutdown();
    }
  }

  @Test
  void writingInPlaceNeedsTheGuardThatARuleHas() {
    Net net = Nets.seeded(14);
    assertThatThrownBy(() -> net.first.weight().copy_(torch.ones(8, 6)))
        .hasMessageContaining("a leaf Variable that requires grad");
    try (ModelEma<Net> ema = average().build(net)) {
      ema.update(net, Tensor.class, (average, model, decay) -> model.mul_(average));
    }
  }

  @Test
  void anUpdateLeavesNoPointerBehind() {
    Net net = Nets.seeded(15);
    try (ModelEma<Net> ema = average().build(net)) {
      List<Runnable> uses =
          List.of(
              () -> ema.update(net),
              () -> ema.swapInto(net).close(),
              () -> ema.copyTo(net),
              () -> ema.snapshot().close(),
              () -> ema.module(),
              () -> ADAPTER.stateDict(net).close(),
              () -> ema.update(net, Tensor.class, (average, model, decay) -> average.add(model)));
      uses.forEach(Runnable::run);
      for (Runnable use : uses) {
        long before = live();
        use.run();
        assertThat(live()).as("pointers after use %s", uses.indexOf(use)).isEqualTo(before);
      }
    }
  }

  private static long live() {
    return Pointer.totalCount();
  }
}
