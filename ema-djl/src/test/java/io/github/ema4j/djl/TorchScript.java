package io.github.ema4j.djl;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import ai.djl.Device;
import ai.djl.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes and loads TorchScript modules: of types that DJL cannot make, or with methods at will. */
final class TorchScript {
  static final int INT16 = 2;
  static final int COMPLEX64 = 9;
  static final int BFLOAT16 = 15;

  private TorchScript() {}

  /** Returns a model whose block casts to a type, by LibTorch's number for it. */
  static Model casting(int scalarType, Path directory) throws Exception {
    return withMethods(
        """
          def forward(self: __torch__.Script,
            x: Tensor) -> Tensor:
            return torch.to(x, %d)
        """
            .formatted(scalarType),
        directory);
  }

  /** Returns a model whose block has given methods, and a dict of tensors that starts empty. */
  static Model withMethods(String methods, Path directory) throws Exception {
    Files.createDirectories(directory);
    try (ZipOutputStream zip =
        new ZipOutputStream(Files.newOutputStream(directory.resolve("script.pt")))) {
      // A pickled object of class __torch__.Script with training=False and state={}
      write(
          zip,
          "data.pkl",
          "\u0080\u0002c__torch__\nScript\n)\u0081}(X\b\0\0\0training\u0089X\5\0\0\0state"
              + "ctorch.jit._pickle\nrestore_type_tag\n(}X\21\0\0\0Dict[str, Tensor]tRub.");
      write(zip, "constants.pkl", "\u0080\u0002).");
      write(zip, "version", "3\n");
      write(
          zip,
          "code/__torch__.py",
          """
          class Script(Module):
            __parameters__ = []
            __buffers__ = []
            training : bool
            state : Dict[str, Tensor]
          """
              + methods);
    }
    Model model = Model.newInstance("script", Device.cpu());
    model.load(directory, "script");
    return model;
  }

  private static void write(ZipOutputStream zip, String name, String content) throws IOException {
    zip.putNextEntry(new ZipEntry("script/" + name));
    zip.write(content.getBytes(ISO_8859_1));
    zip.closeEntry();
  }
}
