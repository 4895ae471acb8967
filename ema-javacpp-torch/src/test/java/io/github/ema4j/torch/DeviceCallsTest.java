package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.Device;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Role;
import io.github.ema4j.ShadowType;
import io.github.ema4j.StateDict;
import io.github.ema4j.Treatment;
import io.github.ema4j.spi.DeviceBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The calls that average tensors on a device, here on tensors in host memory. */
class DeviceCallsTest {
  private static final int SEED = 20_240;
  private static final int[] SIZES = {0, 1, 7, 8, 63, 1024, 4099};

  private final Random random = new Random(SEED);

  private Tensor tensor(ScalarType type, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(20) - 10));
    }
    return size == 0 ? Nets.tensor(type, 0) : Tensor.create(values, size).to(type).reshape(size);
  }

  private List<Tensor> tensors(ScalarType type) {
    List<Tensor> tensors = new ArrayList<>();
    for (int size : SIZES) {
      tensors.add(tensor(type, size));
    }
    return tensors;
  }

  private static List<Tensor> clones(List<Tensor> tensors) {
    return tensors.stream().map(Tensor::clone).toList();
  }

  /** Updates once by the kernel of core. */
  private static List<Tensor> byTheKernel(
      List<Tensor> averages, List<Tensor> models, double decay, AveragingRule rule) {
    List<Tensor> results = clones(averages);
    StateDict<Tensor> to = dict(results);
    try (ModelEma<StateDict<Tensor>> ema =
        ModelEma.builder(StateDict.adapter(TorchBackend.instance()))
            .strategy(EmaStrategy.ordered(decay))
            .policy(EntryPolicy.defaults().with(Role.COUNTER, Treatment.AVERAGE))
            .shadowType(ShadowType.MODEL)
            .rule(rule)
            .build(to)) {
      ema.update(dict(models));
      ema.copyTo(to);
    }
    return results;
  }

  private static StateDict<Tensor> dict(List<Tensor> tensors) {
    StateDict.Builder<Tensor> dict = StateDict.builder(TorchBackend.instance());
    for (int i = 0; i < tensors.size(); i++) {
      Role role = tensors.get(i).is_floating_point() ? Role.PARAMETER : Role.COUNTER;
      dict.add("entry." + i, tensors.get(i), role);
    }
    return dict.build();
  }

  private static void assertSameBits(List<Tensor> actual, List<Tensor> expected) {
    for (int i = 0; i < expected.size(); i++) {
      assertThat(expected.get(i).equal(actual.get(i))).as("entry %d, seed %d", i, SEED).isTrue();
    }
  }

  /** LibTorch's lerp fuses multiplication and addition only where the CPU does. */
  private static void assumeFusedMultiplyAdd() throws IOException {
    Path cpus = Path.of("/proc/cpuinfo");
    assumeTrue(Files.exists(cpus), "not known whether this CPU has FMA");
    assumeTrue(Files.readString(cpus).matches("(?s).*\\bfma\\b.*"), "this CPU has no FMA");
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3, 0.5, 0.9, 0.9999, 1})
  void foreachLerpHasTheBitsOfTheKernel(double decay) throws IOException {
    assumeFusedMultiplyAdd();
    for (ScalarType type : List.of(ScalarType.Float, ScalarType.Double)) {
      List<Tensor> averages = tensors(type);
      List<Tensor> models = tensors(type);
      List<Tensor> expected = byTheKernel(averages, models, decay, AveragingRule.LERP);
      TorchBackend.instance().lerp(averages, models, 1.0 - decay);
      assertSameBits(averages, expected);
    }
  }

  @Test
  void foreachMulAndAddIsTheSumWithOneFusedProduct() throws IOException {
    assumeFusedMultiplyAdd();
    double decay = 0.9;
    List<Tensor> averages = tensors(ScalarType.Float);
    List<Tensor> models = tensors(ScalarType.Float);
    List<float[]> before = averages.stream().map(Nets::floats).toList();
    TorchBackend.instance().weightedSum(averages, models, decay, 1.0 - decay);
    for (int i = 0; i < SIZES.length; i++) {
      float[] expected = before.get(i);
      float[] model = Nets.floats(models.get(i));
      for (int k = 0; k < expected.length; k++) {
        expected[k] = Math.fma((float) (1.0 - decay), model[k], expected[k] * (float) decay);
      }
      assertThat(Nets.floats(averages.get(i))).as("seed %d", SEED).isEqualTo(expected);
    }
  }

  @Test
  void integersAreTruncatedAsByTheKernel() {
    for (ScalarType type :
        List.of(ScalarType.Long, ScalarType.Int, ScalarType.Short, ScalarType.Char)) {
      List<Tensor> averages = List.of(Tensor.create(-7, 0, 3, 99).to(type));
      List<Tensor> models = List.of(Tensor.create(8, -1, 4, -99).to(type));
      List<Tensor> expected = byTheKernel(averages, models, 0.7, AveragingRule.WEIGHTED_SUM);
      TorchBackend.instance().weightedSum(averages, models, 0.7, 1.0 - 0.7);
      assertSameBits(averages, expected);
    }
  }

  @Test
  void copiesConvertTypes() {
    List<Tensor> models = tensors(ScalarType.Float);
    List<Tensor> halves = tensors(ScalarType.Half);
    TorchBackend.instance().copy(halves, models);
    assertSameBits(halves, models.stream().map(model -> model.to(ScalarType.Half)).toList());
    TorchBackend.instance().copy(List.of(), List.of());
  }

  @Test
  void valuesThatAreNotFiniteAreFound() {
    TorchBackend backend = TorchBackend.instance();
    assertThat(backend.isFinite(Tensor.create(1f, Float.MAX_VALUE))).isTrue();
    assertThat(backend.isFinite(Tensor.create(1f, Float.NaN))).isFalse();
    assertThat(backend.isFinite(Tensor.create(Float.NEGATIVE_INFINITY))).isFalse();
    assertThat(backend.isFinite(torch.zeros(0))).isTrue();
  }

  /** Averages a state dict over some steps and returns what comes of it; swaps in between. */
  private List<Tensor> averaged(DeviceBackend<Tensor> backend, ScalarType type) {
    random.setSeed(SEED);
    List<Tensor> model = new ArrayList<>(tensors(type));
    model.add(Tensor.create(3, 4).to(ScalarType.Long));
    StateDict.Builder<Tensor> entries = StateDict.builder(backend);
    for (int i = 0; i < model.size(); i++) {
      Role role = i == model.size() - 1 ? Role.COUNTER : Role.PARAMETER;
      entries.add("entry." + i, model.get(i), role);
    }
    StateDict<Tensor> dict = entries.build();
    try (ModelEma<StateDict<Tensor>> ema =
        ModelEma.builder(StateDict.adapter(backend))
            .strategy(EmaStrategy.nameMatched(0.9))
            .build(dict)) {
      for (int step = 0; step < 5; step++) {
        model.forEach(tensor -> tensor.mul_(new Scalar(-1L)));
        ema.update(dict);
        List<Tensor> trained = clones(model);
        ema.swapInto(dict).close();
        assertSameBits(model, trained);
      }
      return clones(ema.state().entries().stream().map(e -> (Tensor) e.tensor()).toList());
    }
  }

  @Test
  void averagesOnADeviceAreThoseOfTheKernelAndNeverVisitTheHost() throws IOException {
    assumeFusedMultiplyAdd();
    for (ScalarType type : List.of(ScalarType.Float, ScalarType.Half, ScalarType.BFloat16)) {
      List<Tensor> far = averaged(new FarTorch(), type);
      assertThat(far.get(1).scalar_type().intern()).isEqualTo(ScalarType.Float);
      assertSameBits(far, averaged(TorchBackend.instance(), type));
    }
  }

  @Test
  void averagesOnACudaDeviceFollowAModelThere() {
    assumeTrue(torch.cuda_is_available(), "LibTorch sees no CUDA device here");
    Device device = Device.parse("cuda:0");
    org.bytedeco.pytorch.Device cuda = new org.bytedeco.pytorch.Device("cuda:0");
    Nets.Net net = Nets.seeded(1);
    try (ModelEma<Nets.Net> ema =
        ModelEma.builder(TorchAdapter.of(Nets.Net.class))
            .strategy(EmaStrategy.nameMatched(0.5))
            .build(net)) {
      float start = Nets.values(ema.state()).get("first.bias").get(0);
      ema.to(device);
      net.to(cuda, false);
      Nets.shift(net, 1);
      ema.update(net);
      ema.swapInto(net).close();
      assertThat(ema.state().entries().get(1).spec().device()).isEqualTo(device);
      ema.to(Device.CPU);
      assertThat(Nets.values(ema.state()).get("first.bias").get(0)).isEqualTo(start + 0.5f);
    }
  }
}
