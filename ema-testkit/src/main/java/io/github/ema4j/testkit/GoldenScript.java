package io.github.ema4j.testkit;

import com.google.common.io.ByteSource;
import com.google.common.io.Resources;
import io.github.ema4j.array.ArrayTensor;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * A run of timm's ModelEmaV2 over a TorchScript module, with the module itself and what it puts
 * out: for backends that load such modules.
 *
 * @param module the module's file; it exports a method {@code ema_buffers} that returns its buffers
 * @param run the weights and their average
 * @param input a batch of the module's inputs, float32 of shape [4, 1, 8, 8]
 * @param modelOutput what the module gives in evaluation mode with the weights after the last step,
 *     float32 of shape [4, 10]
 * @param averageOutput the same with the average
 */
public record GoldenScript(
    ByteSource module,
    GoldenCase run,
    ArrayTensor input,
    ArrayTensor modelOutput,
    ArrayTensor averageOutput) {

  /**
   * Returns the one in the kit's resources.
   *
   * @throws UncheckedIOException if it cannot be read
   */
  public static GoldenScript shipped() {
    try {
      SafetensorsFile file = GoldenCases.shipped("v2-torchscript.safetensors");
      return new GoldenScript(
          Resources.asByteSource(GoldenCases.resource("digits-torchscript.pt")),
          GoldenCase.of(file),
          tensor(file, "input"),
          tensor(file, "output/model"),
          tensor(file, "output/ema"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ArrayTensor tensor(SafetensorsFile file, String name) throws IOException {
    ArrayTensor tensor = file.tensors().get(name);
    if (tensor == null) {
      throw new IOException("the golden case has no tensor " + name);
    }
    return tensor;
  }
}
