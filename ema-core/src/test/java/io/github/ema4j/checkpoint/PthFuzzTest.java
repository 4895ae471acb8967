package io.github.ema4j.checkpoint;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;

/**
 * Whatever a file contains, it is read or refused by a {@link CheckpointException}.
 *
 * <p>An ordinary build runs the inputs in {@code PthFuzzTestInputs}: files that PyTorch wrote, and
 * what was found. To look for more, run one method with the environment variable {@code
 * JAZZER_FUZZ=1}.
 */
class PthFuzzTest {
  private static final Path FILE = Path.of("fuzzed.pth");

  @FuzzTest(maxDuration = "10m")
  void file(byte[] data) {
    try {
      PthRobustnessTest.readAll(data);
    } catch (CheckpointException e) {
      // As it should be.
    }
  }

  @FuzzTest(maxDuration = "10m")
  @DictionaryEntries({
    "collections",
    "OrderedDict",
    "torch",
    "FloatStorage",
    "BFloat16Storage",
    "Tensor",
    "torch._utils",
    "_rebuild_tensor_v2",
    "_rebuild_parameter",
    "torch._tensor",
    "_rebuild_from_type_v2",
    "storage"
  })
  void pickle(byte[] data) {
    FileBytes file = FileBytes.of(FILE, ByteBuffer.wrap(data));
    try {
      PthPickle.read(file, "pickle", file.slice(0, data.length), Set.of("argparse.Namespace"));
    } catch (CheckpointException e) {
      // As it should be.
    }
  }

  @FuzzTest(maxDuration = "10m")
  void zip(byte[] data) {
    FileBytes file = FileBytes.of(FILE, ByteBuffer.wrap(data));
    try {
      ZipDirectory.read(file)
          .values()
          .forEach(
              entry ->
                  file.slice(entry.offset(), entry.bytes()).get(new byte[(int) entry.bytes()]));
    } catch (CheckpointException e) {
      // As it should be.
    }
  }
}
