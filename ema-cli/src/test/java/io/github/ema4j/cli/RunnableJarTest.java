package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.TensorFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.jar.JarFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the jar that users get, as they run it. */
class RunnableJarTest {
  @TempDir private Path folder;
  private Jar jar;

  @BeforeEach
  void findTheJar() {
    jar = Jar.built(folder);
  }

  private Path write(String name, StateDict<ArrayTensor> state) throws IOException {
    Path file = folder.resolve(name);
    TensorFile.write(file, state, Map.of());
    return file;
  }

  @Test
  void theJarDoesWhatTheCommandDoes() throws Exception {
    Path a = write("a.safetensors", Values.model(new Random(1)));
    Path b = write("b.safetensors", Values.model(new Random(2)));
    Path out = folder.resolve("out.pth");
    Path same = folder.resolve("same.pth");

    Ema average = jar.run("average", a, b, "--decay=0.9", "-o", out);

    assertThat(average.err()).isEmpty();
    assertThat(average.exit()).isZero();
    assertThat(average.out()).startsWith(out + ": 16 tensors averaged, 1 copied");
    Ema.done("average", a, b, "--decay=0.9", "-o", same);
    assertThat(out).hasSameBinaryContentAs(same);
    assertThat(jar.run("diff", a, out).exit()).isEqualTo(3);
    assertThat(jar.run("diff", out, same).exit()).isZero();
    assertThat(jar.run("--version").out()).startsWith("ema 0.");
    assertThat(jar.run("schedule", Files.writeString(folder.resolve("x.conf"), "")).out())
        .startsWith("ConstantDecay[decay=0.9999]");
  }

  @Test
  void failuresAreOneMessage() throws Exception {
    Ema missing = jar.run("inspect", folder.resolve("missing"));
    assertThat(missing.exit()).isEqualTo(1);
    assertThat(missing.out()).isEmpty();
    assertThat(missing.err().lines())
        .containsExactly("ema: " + folder.resolve("missing") + ": there is no such file");
    assertThat(jar.run("inspect").exit()).isEqualTo(2);
  }

  /** What is left out of a state dict is told, and not by a logger that is not configured. */
  @Test
  void warningsAreLines() throws Exception {
    Ema odd = jar.run("inspect", Ema.golden("checkpoint/pth/odds.pth"));
    assertThat(odd.exit()).isZero();
    assertThat(odd.err().lines()).allMatch(line -> line.startsWith("WARN "));
  }

  /** Tensors of three times the heap, on whatever memory the machine has. */
  @Test
  void memoryDoesNotGrowWithTheTensors() throws Exception {
    float[] values = new float[12 << 20];
    Arrays.fill(values, 1);
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(values, values.length))
            .build();
    Path a = write("a.safetensors", state);
    Arrays.fill(values, 2);
    Path b = write("b.safetensors", state);
    Path out = folder.resolve("out.safetensors");

    Ema average = jar.withOptions("-Xmx16m").run("average", a, b, "-o", out);

    assertThat(average.err()).isEmpty();
    assertThat(average.exit()).isZero();
    assertThat(Values.of(out, "model").get("w")).containsOnly(1.5);
  }

  @Test
  void bashTakesTheCompletion() throws Exception {
    Path script = Files.writeString(folder.resolve("completion"), jar.run("completion").out());
    Process bash = new ProcessBuilder("bash", "-n", script.toString()).inheritIO().start();
    assertThat(bash.waitFor()).isZero();
  }

  @Test
  void theJarHasNoNativeLibraries() throws IOException {
    try (JarFile content = new JarFile(jar.path().toFile())) {
      assertThat(content.stream().map(Object::toString))
          .noneMatch(name -> name.matches(".*\\.(so|dll|dylib|jnilib)(\\..*)?"))
          .contains(
              "io/github/ema4j/cli/EmaCommand.class",
              "reference.conf",
              "META-INF/LICENSE",
              "META-INF/LICENSE.txt");
    }
  }
}
