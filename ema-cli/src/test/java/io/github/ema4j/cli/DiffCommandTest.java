package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.typesafe.config.Config;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.PthLayout;
import io.github.ema4j.checkpoint.PthWriter;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiffCommandTest {
  @TempDir private Path folder;

  private Path write(String name, StateDict<ArrayTensor> state) throws IOException {
    Path file = folder.resolve(name);
    if (name.endsWith(".pth")) {
      PthWriter.of(PthLayout.STATE_DICT).model(state).write(file);
    } else {
      TensorFile.write(file, state, Map.of());
    }
    return file;
  }

  private static StateDict.Builder<ArrayTensor> dict() {
    return StateDict.builder(ArrayBackend.instance());
  }

  @Test
  void filesOfOneContentAreTheSameWhateverTheirKind() throws IOException {
    Path a = write("a.safetensors", Values.model(new Random(1)));
    Path b = write("b.pth", Values.model(new Random(1)));

    Ema same = Ema.done("diff", a, b);

    assertThat(same.out().lines())
        .containsExactly("0 of 17 tensors that both have differ, drift 0");
    Config json = Ema.done("diff", a, b, "--json").json();
    assertThat(json.getBoolean("same")).isTrue();
    assertThat(json.getConfigList("tensors")).hasSize(17);
  }

  /** Known distances; more than a block of elements, of which the last alone differs. */
  @Test
  void distancesAreThoseOfTheElements() throws IOException {
    float[] many = new float[20_000];
    float[] others = many.clone();
    others[19_999] = Float.MIN_VALUE;
    Path a =
        write(
            "a",
            dict()
                .parameter("f32", ArrayTensor.of(new float[] {1, Math.nextUp(2f), 3, -0.0f}, 4))
                .parameter("f64", ArrayTensor.of(new double[] {-Double.MIN_VALUE, 5}, 2))
                .parameter("bf16", ArrayTensor.of(ElementType.BF16, new short[] {0x3f83}, 1))
                .parameter("many", ArrayTensor.of(many, many.length))
                .counter("n", ArrayTensor.of(new long[] {7}))
                .counter("flag", ArrayTensor.of(ElementType.U8, new byte[] {(byte) 200}, 1))
                .build());
    Path b =
        write(
            "b",
            dict()
                .parameter("f32", ArrayTensor.of(new float[] {1, 2, 4, 0}, 4))
                .parameter("f64", ArrayTensor.of(new double[] {2 * Double.MIN_VALUE, 5}, 2))
                .parameter("bf16", ArrayTensor.of(ElementType.BF16, new short[] {0x3f80}, 1))
                .parameter("many", ArrayTensor.of(others, many.length))
                .counter("n", ArrayTensor.of(new long[] {9}))
                .counter("flag", ArrayTensor.of(ElementType.U8, new byte[] {(byte) 199}, 1))
                .build());

    Ema different = Ema.run("diff", a, b, "--json");

    assertThat(different.exit()).isEqualTo(3);
    assertThat(different.json().getBoolean("same")).isFalse();
    List<? extends Config> tensors = different.json().getConfigList("tensors");
    assertTensor(tensors.get(0), "f32", 3, 1, 0.25, 1L << 22); // 3 to 4
    assertThat(tensors.get(0).getDouble("drift")).isCloseTo(1 / Math.sqrt(21), within(1e-6));
    assertTensor(tensors.get(1), "f64", 1, 3 * Double.MIN_VALUE, 1.5, 3);
    assertTensor(tensors.get(2), "bf16", 1, 0x3p-7, 0x3p-7, 3);
    assertTensor(tensors.get(3), "many", 1, Float.MIN_VALUE, 1, 1);
    assertTensor(tensors.get(4), "n", 1, 2, 2 / 9.0, -1);
    assertTensor(tensors.get(5), "flag", 1, 1, 1 / 199.0, -1);
    Ema table = Ema.run("diff", a, b);
    assertThat(table.out().lines())
        .contains(
            "tensor  differ      of   absolute  relative       ULPs    drift",
            "n            1       1       2.00     0.222          -    0.222")
        .last()
        .asString()
        .startsWith("6 of 6 tensors that both have differ, drift 0.0");
  }

  private static void assertTensor(
      Config tensor, String name, long differing, double absolute, double relative, long ulps) {
    assertThat(tensor.getString("name")).isEqualTo(name);
    assertThat(tensor.getLong("differing")).isEqualTo(differing);
    assertThat(tensor.getDouble("absolute")).isEqualTo(absolute);
    assertThat(tensor.getDouble("relative")).isEqualTo(relative);
    assertThat(tensor.hasPath("ulps") ? tensor.getLong("ulps") : -1).isEqualTo(ulps);
  }

  @Test
  void whatIsNoNumberIsNotOverlooked() throws IOException {
    Path a =
        write("a", dict().parameter("w", ArrayTensor.of(new float[] {Float.NaN, 1}, 2)).build());
    Path b = write("b", dict().parameter("w", ArrayTensor.of(new float[] {2, 1}, 2)).build());

    Ema different = Ema.run("diff", a, b, "--json");

    assertThat(different.exit()).isEqualTo(3);
    assertThat(different.json().getConfigList("tensors").get(0).getString("absolute"))
        .isEqualTo("NaN");
    assertThat(Ema.done("diff", a, a).out()).startsWith("0 of 1 ");
  }

  @Test
  void namesAndShapesAreComparedToo() throws IOException {
    Path a =
        write(
            "a",
            dict()
                .parameter("w", ArrayTensor.of(new float[] {1, 2}, 2))
                .parameter("same", ArrayTensor.of(new float[] {1}, 1))
                .parameter("gone", ArrayTensor.of(new float[] {1}, 1))
                .build());
    Path b =
        write(
            "b",
            dict()
                .parameter("w", ArrayTensor.of(new float[] {1, 2, 3}, 3))
                .parameter("same", ArrayTensor.of(new float[] {1}, 1))
                .build());
    Path wrapped =
        write(
            "wrapped",
            dict()
                .parameter("module.same", ArrayTensor.of(ElementType.BF16, new short[] {0x3f80}, 1))
                .parameter("module.w", ArrayTensor.of(new float[] {1, 2, 3}, 3))
                .build());

    Ema different = Ema.run("diff", a, b);

    assertThat(different.exit()).isEqualTo(3);
    assertThat(different.out().lines())
        .containsExactly(
            "shape mismatch for 'w': file " + a + " has [2], file " + b + " has [3]",
            "'gone' is only in the file " + a,
            "0 of 1 tensors that both have differ, drift 0");
    assertThat(Ema.done("diff", b, wrapped).out())
        .startsWith("0 of 2 tensors that both have differ");
  }

  @Test
  void modelAndAverageOfOneFileAreCompared() {
    Path timm = Ema.golden("checkpoint/timm-checkpoint.pth.tar");
    Ema.done("diff", timm, timm);
    Ema.done("diff", timm, timm, "--of=ema");
    assertThat(Ema.run("diff", timm, timm, "--of=model,ema").exit()).isEqualTo(3);
    Ema refused = Ema.run("diff", timm, timm, "--of=a,b,c");
    assertThat(refused.exit()).isEqualTo(2);
    assertThat(refused.err()).startsWith("ema: --of takes one name, or two");
    assertThat(Ema.run("diff", timm, folder).exit()).isEqualTo(1);
  }
}
