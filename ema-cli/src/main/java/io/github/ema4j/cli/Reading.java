package io.github.ema4j.cli;

import com.google.common.base.Splitter;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.PthFile;
import io.github.ema4j.checkpoint.PthLayout;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** How checkpoints are read. */
final class Reading {
  @Option(
      names = "--layout",
      paramLabel = "LAYOUT",
      converter = LayoutConverter.class,
      description = {
        "Under which keys PyTorch's files have model and average: timm, plain, state-dict,"
            + " averaged-model, mmengine, or two keys joined by a comma, such as model,model_ema."
            + " Without it, the usual keys are looked for."
      })
  private @Nullable PthLayout layout;

  @Option(
      names = "--no-verify",
      description = "Do not compare the digests that files carry, which reads all of each first.")
  private boolean unverified;

  /**
   * Opens a checkpoint, and verifies it unless that is not wanted.
   *
   * @throws IOException if it cannot be read
   * @throws CheckpointException if it is refused
   */
  Checkpoint open(Path file) throws IOException {
    Checkpoint opened = openUnverified(file);
    if (!unverified) {
      try {
        opened.verify();
      } catch (CheckpointException e) {
        opened.close();
        throw e;
      }
    }
    return opened;
  }

  /** Tells whether digests are compared. */
  boolean verifies() {
    return !unverified;
  }

  private Checkpoint openUnverified(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new CheckpointException(file, "it is a folder; name a file in it");
    }
    return layout != null && PthFile.isOne(file)
        ? Checkpoint.open(file, layout)
        : Checkpoint.open(file);
  }

  /** Reads the name of a layout, or two keys. */
  private static final class LayoutConverter implements ITypeConverter<PthLayout> {
    @Override
    public PthLayout convert(String text) {
      List<String> keys = Splitter.on(',').limit(2).splitToList(text);
      try {
        return keys.size() == 2 ? PthLayout.of(keys.get(0), keys.get(1)) : PthLayout.named(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
