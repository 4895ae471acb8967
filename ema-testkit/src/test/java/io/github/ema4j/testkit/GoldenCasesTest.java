package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.io.Resources;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.Device;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.Role;
import io.github.ema4j.Treatment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GoldenCasesTest {
  private static final String PROPERTY = "ema.golden.dir";

  @TempDir private Path folder;
  private String before;

  @BeforeEach
  void useTheFolder() {
    before = System.getProperty(PROPERTY, "");
    System.setProperty(PROPERTY, folder.toString());
  }

  @AfterEach
  void useWhatWasUsedBefore() {
    System.setProperty(PROPERTY, before);
  }

  @Test
  void everyShippedFileIsACase() throws Exception {
    System.setProperty(PROPERTY, "");
    Path shipped = Path.of(Resources.getResource(GoldenCases.class, "golden/cases.txt").toURI());
    try (Stream<Path> files = Files.list(shipped.resolveSibling("."))) {
      List<String> names =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".safetensors"))
              .map(name -> name.replace(".safetensors", ""))
              .toList();

      assertThat(GoldenCases.all())
          .extracting(GoldenCase::name)
          .containsExactlyInAnyOrderElementsOf(names)
          .hasSizeGreaterThanOrEqualTo(20);
    }
    assertThat(GoldenCases.all()).allSatisfy(golden -> assertThat(golden.unsupported()).isEmpty());
  }

  @Test
  void theFolderOfThePropertyTakesThePlaceOfTheShippedCases() throws IOException {
    write("one.safetensors", "timm-0.6.11 ModelEmaV2 device=cpu");
    write("no-case.safetensors", "");
    Files.writeString(folder.resolve("notes.txt"), "no case");

    assertThat(GoldenCases.all()).hasSize(1);
    GoldenCase golden = GoldenCases.all().get(0);

    assertThat(golden.config().device()).contains(Device.CPU);
    assertThat(golden.config().strategy()).isEqualTo(EmaStrategy.ordered(0.5));
  }

  @Test
  void optionsOfTimmsV3BecomeScheduleAndPolicy() throws IOException {
    write(
        "v3.safetensors",
        "timm ModelEmaV3 exclude_buffers warmup gamma=2 power=3/4 min_decay=0.3 update_after_step=5");

    GoldenCase golden = GoldenCases.all().get(0);

    assertThat(golden.config().strategy().schedule())
        .isEqualTo(
            DecaySchedule.inversePowerWarmup(0.5)
                .withGamma(2)
                .withPower(0.75)
                .withMinDecay(0.3)
                .withUpdateAfter(5));
    assertThat(golden.config().policy().treatment(Role.STATISTIC)).isEqualTo(Treatment.COPY);
  }

  @Test
  void casesThatNoPresetReproducesSayWhy() throws IOException {
    write("other.safetensors", "somebody's EMA");

    assertThat(GoldenCases.all().get(0).unsupported()).hasValue("no preset for 'somebody's EMA'");
  }

  @Test
  void aFolderWithoutCasesIsAnError() {
    assertThatIllegalStateException()
        .isThrownBy(GoldenCases::all)
        .withMessage("ema.golden.dir=%s has no golden case", folder);
  }

  @Test
  void aMalformedFileIsNamed() throws IOException {
    Files.writeString(folder.resolve("broken.safetensors"), "no safetensors file at all");

    assertThatThrownBy(GoldenCases::all)
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(folder.toString())
        .cause()
        .hasMessageContaining("broken.safetensors");
  }

  /** Writes a case of one step over one scalar. */
  private void write(String name, String rule) throws IOException {
    String metadata =
        rule.isEmpty()
            ? "{}"
            : "{\"case\":\"made\",\"steps\":\"1\",\"decay\":\"0.5\",\"rule\":\"" + rule + "\"}";
    String header = "{\"__metadata__\":" + metadata;
    int offset = 0;
    for (String tensor : List.of("model/0/x", "model/1/x", "ema/x")) {
      header +=
          String.format(
              ",\"%s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[%d,%d]}",
              tensor, offset, offset + 4);
      offset += 4;
    }
    byte[] json = (header + "}").getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + json.length + offset).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(json.length).put(json).putFloat(0).putFloat(1).putFloat(0.5f);
    Files.write(folder.resolve(name), file.array());
  }
}
