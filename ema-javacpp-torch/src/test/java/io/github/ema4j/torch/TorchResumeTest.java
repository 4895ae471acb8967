package io.github.ema4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.MoreFiles;
import com.google.common.primitives.Floats;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.testkit.GoldenScript;
import io.github.ema4j.torch.Nets.Net;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.InputArchive;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Optimizer;
import org.bytedeco.pytorch.OutputArchive;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** LibTorch saves what its optimisers remember; model and average come from our file. */
class TorchResumeTest {
  private static final int EPOCH = 8;
  private static final TorchAdapter<Net> ADAPTER = TorchAdapter.of(Net.class);
  private static final TorchAdapter<JitModule> SCRIPTS = TorchAdapter.ofScripts();

  private final GoldenScript golden = GoldenScript.shipped();

  @TempDir private Path folder;

  /** Optimisers that remember something. */
  private enum Remembering {
    SGD_WITH_MOMENTUM {
      @Override
      Optimizer of(Net net) {
        return Nets.optimizer(net);
      }
    },
    ADAM {
      @Override
      Optimizer of(Net net) {
        return new Adam(net.parameters(), new AdamOptions(0.01));
      }
    };

    abstract Optimizer of(Net net);
  }

  @ParameterizedTest
  @EnumSource
  void aResumedTrainingGivesTheBitsOfOneThatDidNotStop(Remembering kind) throws IOException {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Path remembered = folder.resolve("optimizer.pt");
    Net straight = Nets.seeded(1);
    Optimizer optimizer = kind.of(straight);
    try (ModelEma<Net> whole = average(straight)) {
      train(straight, optimizer, whole);
      save(whole, optimizer, checkpoint, remembered);
      train(straight, optimizer, whole);

      Net second = Nets.seeded(2);
      Optimizer fresh = kind.of(second);
      try (ModelEma<Net> ema = average(second)) {
        assertThat(Nets.weights(second)).isNotEqualTo(Nets.weights(straight));
        resume(ema, fresh, checkpoint, remembered);
        train(second, fresh, ema);

        assertThat(Nets.weights(second)).isEqualTo(Nets.weights(straight));
        assertThat(Nets.values(ema.state())).isEqualTo(Nets.values(whole.state()));
        assertThat(ema.progress()).isEqualTo(whole.progress());
      }
    }
  }

  /** What the test above would not see if training did not depend on it. */
  @ParameterizedTest
  @EnumSource
  void withoutWhatTheOptimizerRemembersTrainingGoesElsewhere(Remembering kind) throws IOException {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Net straight = Nets.seeded(1);
    Optimizer optimizer = kind.of(straight);
    Net second = Nets.seeded(2);
    try (ModelEma<Net> whole = average(straight);
        ModelEma<Net> ema = average(second)) {
      train(straight, optimizer, whole);
      whole.save(checkpoint);
      train(straight, optimizer, whole);
      ema.resumeFrom(checkpoint);
      train(second, kind.of(second), ema);

      assertThat(Nets.weights(second)).isNotEqualTo(Nets.weights(straight));
    }
  }

  private static void save(ModelEma<Net> ema, Optimizer optimizer, Path checkpoint, Path remembered)
      throws IOException {
    // tag::save[]
    ema.save(checkpoint); // the model is in it
    try (OutputArchive archive = new OutputArchive()) {
      optimizer.save(archive);
      archive.save_to(remembered.toString());
    }
    // end::save[]
  }

  private static void resume(
      ModelEma<Net> ema, Optimizer optimizer, Path checkpoint, Path remembered) throws IOException {
    // tag::resume[]
    ema.resumeFrom(checkpoint); // into the model, too
    try (InputArchive archive = new InputArchive()) {
      archive.load_from(remembered.toString());
      optimizer.load(archive);
    }
    // end::resume[]
  }

  /** LibTorch's own file, written by LibTorch from averaged weights, is read by LibTorch. */
  @Test
  void anAverageIsSavedAsLibTorchSavesAModule() throws IOException {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Path released = folder.resolve("average.pt");
    Net net = Nets.seeded(1);
    Net other = Nets.seeded(2);
    try (ModelEma<Net> ema = average(net);
        ModelEma<Net> loaded = average(other)) {
      train(net, Nets.optimizer(net), ema);
      ema.save(checkpoint);
      release(loaded, other, checkpoint, released);
      Net restored = Nets.seeded(3);
      try (InputArchive archive = new InputArchive()) {
        archive.load_from(released.toString());
        restored.load(archive);
      }

      Map<String, List<Float>> average = Nets.values(ema.state());
      assertThat(average).isNotEqualTo(Nets.weights(net));
      assertThat(Nets.weights(restored)).isEqualTo(average);
      ema.copyTo(net);
      assertThat(Nets.answers(restored)).isEqualTo(Nets.answers(net));
    }
  }

  private static void release(ModelEma<Net> ema, Net net, Path checkpoint, Path released)
      throws IOException {
    // tag::release[]
    try (TensorFile file = TensorFile.open(checkpoint)) {
      ema.load(file.stateDict("ema."));
    }
    ema.copyTo(net);
    try (OutputArchive archive = new OutputArchive()) {
      net.save(archive); // a JitModule: script.save(path)
      archive.save_to(released.toString());
    }
    // end::release[]
  }

  @Test
  void anAverageIsSavedAsLibTorchSavesAScript() throws IOException {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Path released = folder.resolve("average.pt");
    JitModule script = script("digits.pt");
    JitModule other = script("other.pt");
    try (ModelEma<JitModule> ema =
            ModelEma.builder(SCRIPTS).strategy(EmaStrategy.nameMatched(0.5)).build(script);
        ModelEma<JitModule> loaded = ModelEma.builder(SCRIPTS).build(other)) {
      shift(script);
      ema.update(script);
      ema.save(checkpoint);
      try (TensorFile file = TensorFile.open(checkpoint)) {
        loaded.load(file.stateDict("ema."));
      }
      loaded.copyTo(other);
      other.save(released.toString());
      JitModule restored = torch.load(released.toString());

      assertThat(Nets.weights(SCRIPTS, restored))
          .isEqualTo(Nets.values(ema.state()))
          .isNotEqualTo(Nets.weights(SCRIPTS, script));
      ema.copyTo(script);
      assertThat(answers(restored)).isEqualTo(answers(script));
    }
  }

  private JitModule script(String name) throws IOException {
    Path file = folder.resolve(name);
    golden.module().copyTo(MoreFiles.asByteSink(file));
    return torch.load(file.toString());
  }

  private static void shift(JitModule script) {
    try (StateDict<Tensor> dict = SCRIPTS.stateDict(script)) {
      Guards.withoutGradient(
          () -> dict.entries().forEach(entry -> entry.tensor().add_(new Scalar(1))));
    }
  }

  @SuppressWarnings("try") // the guards are there to be closed
  private List<Float> answers(JitModule script) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      script.eval();
      Tensor input = Tensor.create((float[]) golden.input().array(), 4, 1, 8, 8);
      return Floats.asList(
          Nets.floats(script.forward(new IValueVector(new IValue(input))).toTensor()));
    }
  }

  private static ModelEma<Net> average(Net net) {
    EmaStrategy strategy =
        EmaStrategy.nameMatched(0).scheduled(DecaySchedule.numUpdatesWarmup(0.99));
    return ModelEma.builder(ADAPTER).strategy(strategy).build(net);
  }

  private static void train(Net net, Optimizer optimizer, ModelEma<Net> ema) {
    for (int step = 0; step < EPOCH; step++) {
      Nets.train(net, optimizer, step);
      ema.update(net);
    }
  }
}
