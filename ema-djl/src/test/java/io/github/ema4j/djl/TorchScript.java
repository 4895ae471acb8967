package io.github.ema4j.djl;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import ai.djl.Device;
import ai.djl.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes and loads a TorchScript module that casts its input, for types that DJL cannot make. */
final class TorchScript {
  static final int INT16 = 2;
  static final int COMPLEX64 = 9;
  static final int BFLOAT16 = 15;

  private TorchScript() {}

  /** Returns a model whose block casts to a type, by LibTorch's number for it. */
  static Model casting(int scalarType, Path directory) throws Exception {
    Files.createDirectories(directory);
    try (ZipOutputStream zip =
        new ZipOutputStream(Files.newOutputStream(directory.resolve("cast.pt")))) {
      // A pickled object of class __torch__.Cast with training=False
      write(zip, "data.pkl", "\u0080\u0002c__torch__\nCast\n)\u0081}X\b\0\0\0training\u0089sb.");
      write(zip, "constants.pkl", "\u0080\u0002).");
      write(zip, "version", "3\n");
      write(
          zip,
          "code/__torch__.py",
          """
          class Cast(Module):
            __parameters__ = []
            __buffers__ = []
            training : bool
            def forward(self: __torch__.Cast,
              x: Tensor) -> Tensor:
              return torch.to(x, %d)
          """
              .formatted(scalarType));
    }
    Model model = Model.newInstance("cast", Device.cpu());
    model.load(directory, "cast");
    return model;
  }

  private static void write(ZipOutputStream zip, String name, String content) throws IOException {
    zip.putNextEntry(new ZipEntry("cast/" + name));
    zip.write(content.getBytes(ISO_8859_1));
    zip.closeEntry();
  }
}
