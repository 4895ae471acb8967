package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaBank;
import io.github.ema4j.ModelEma;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConvertCommandTest {
  private static final Path TIMM = Ema.golden("checkpoint/timm-checkpoint.pth.tar");

  @TempDir private Path folder;

  /** Once around all formats, model and average, and back. */
  @Test
  void modelAndAverageComeThroughEveryFormatBitForBit() {
    Path[] files = {
      TIMM,
      folder.resolve("a.safetensors"),
      folder.resolve("b.safetensors.index.json"),
      folder.resolve("c.pth"),
      folder.resolve("d.safetensors")
    };
    for (int i = 1; i < files.length; i++) {
      String told = Ema.done("convert", files[i - 1], files[i], "--max-shard=1K").out();
      assertThat(told)
          .isEqualTo(files[i] + ": 0 tensors averaged, 24 copied, 1.9 kB" + System.lineSeparator());
      Ema.done("diff", TIMM, files[i]);
      Ema.done("diff", TIMM, files[i], "--of=ema");
    }
    assertThat(files[4]).hasSameBinaryContentAs(files[1]);
  }

  @Test
  void someWeightsAloneAreWritten() throws IOException {
    Path out = folder.resolve("ema.safetensors");
    Ema.done("convert", TIMM, out, "--of=ema");
    Ema.done("diff", out, TIMM, "--of=model,ema");
    try (TensorFile file = TensorFile.open(out)) {
      assertThat(file.tensors()).containsKey("conv.weight");
    }
  }

  /** A checkpoint of ours in shards is one to resume from. */
  @Test
  void metadataStayWithTheTensors() throws IOException {
    Path file = folder.resolve("checkpoint.safetensors");
    Path index = folder.resolve("sharded.safetensors.index.json");
    StateDict<ArrayTensor> model = Values.model(new Random(1));
    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      ema.update(model);
      ema.save(file);
    }

    Ema.done("convert", file, index, "--max-shard=200K");

    try (ModelEma<StateDict<ArrayTensor>> ema =
        ModelEma.builder(ArrayBackend.adapter()).build(model)) {
      ema.resumeFrom(index);
      assertThat(ema.progress().updates()).isEqualTo(1);
    }
  }

  @Test
  void tiedTensorsStayTied() throws IOException {
    ArrayTensor shared = ArrayTensor.of(new float[] {1, 2}, 2);
    Path a = folder.resolve("a.pth");
    Path b = folder.resolve("b.pth");
    PthWriter.of(PthLayout.STATE_DICT)
        .model(
            StateDict.builder(ArrayBackend.instance())
                .parameter("in", shared)
                .parameter("out", shared)
                .build())
        .write(a);

    Ema.done("convert", a, b);

    try (PthFile file = PthFile.open(b)) {
      var state = file.stateDict("");
      assertThat(state.backend().storage(state.entries().get(0).tensor()))
          .isEqualTo(state.backend().storage(state.entries().get(1).tensor()));
    }
  }

  @Test
  void severalAveragesHaveToBeChosenFrom() throws IOException {
    Path file = folder.resolve("bank.safetensors");
    Path out = folder.resolve("out.pth");
    StateDict<ArrayTensor> model = Values.model(new Random(1));
    try (EmaBank<StateDict<ArrayTensor>> bank =
        EmaBank.builder(ArrayBackend.adapter())
            .average("fast", DecaySchedule.constant(0.9))
            .average("slow", DecaySchedule.constant(0.99))
            .build(model)) {
      bank.update(model);
      bank.save(file);
    }

    Ema refused = Ema.run("convert", file, out);

    assertThat(refused.exit()).isEqualTo(1);
    assertThat(refused.err())
        .isEqualTo(
            "ema: "
                + file
                + ": it has several averages; say by --of which weights to write"
                + System.lineSeparator());
    Ema.done("convert", file, out, "--of=ema.slow");
    Ema.done("diff", file, out, "--of=ema.slow,model");
  }

  @Test
  void aFileIsNotWrittenOverItself() throws IOException {
    Path file = folder.resolve("a.safetensors");
    TensorFile.write(file, Values.model(new Random(1)), Map.of());
    Ema refused = Ema.run("convert", file, file);
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(refused.err()).contains("is read, too; write to another file");
  }
}
