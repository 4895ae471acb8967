package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be written is told, and what was there before stays. */
class FailingDiskTest {

  @TempDir private Path folder;
  @TempDir private Path logs;
  private Path first;
  private byte[] before;

  @BeforeEach
  void saveACheckpoint() throws Exception {
    assertThat(run(List.of())).contains("1\n");
    first = folder.resolve("checkpoint-000001.safetensors");
    before = Files.readAllBytes(first);
  }

  /** The system refuses to write more, in the midst of a file. */
  @Test
  void whereAFileCannotGrowTheOneBeforeStays() throws Exception {
    assumeTrue(canRun("bash", "-c", "ulimit -f 100"), "there is no shell that limits files");

    String log = run(List.of("bash", "-c", "ulimit -f 1000; exec \"$0\" \"$@\""));

    assertThat(log)
        .contains("java.io.IOException: cannot write " + folder)
        .contains("File too large")
        .contains("what was there before is as it was");
    assertUnharmed();
  }

  /** A file system of three megabytes, which is full at the third checkpoint. */
  @Test
  void whereTheDiskIsFullTheOneBeforeStays() throws Exception {
    List<String> mounting = List.of("unshare", "--mount", "--map-root-user");
    assumeTrue(
        canRun("unshare", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"),
        "this user may not mount a file system");
    String script =
        "mount -t tmpfs -o size=5m tmpfs /mnt && cp \"$FROM\"/* /mnt; \"$@\"; ls -A /mnt;"
            + " cp /mnt/* \"$FROM\"";

    Process process =
        ChildJvm.start(
            logs.resolve("log"),
            Stream.concat(
                    mounting.stream(),
                    Stream.of("env", "FROM=" + folder, "bash", "-c", script, "bash"))
                .toList(),
            CheckpointWriterProgram.class,
            "/mnt",
            "10",
            "here");
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();

    assertThat(Files.readString(logs.resolve("log"))).contains("No space left on device");
    assertThat(output)
        .as("what was being written is gone")
        .contains("checkpoint-000001.safetensors")
        .doesNotContain(".tmp");
    assertUnharmed();
  }

  @Test
  void whereAFolderIsReadOnlyTheOneBeforeStays() throws Exception {
    List<String> asOthers = List.of("setpriv", "--bounding-set=-dac_override,-dac_read_search");
    boolean root = isRoot();
    assumeTrue(
        !root || canRun("setpriv", "--bounding-set=-dac_override,-dac_read_search", "true"),
        "the superuser writes everywhere, and cannot be kept from it here");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("r-xr-xr-x"));
    try {
      String log = run(root ? asOthers : List.of());

      assertThat(log).contains("cannot write " + folder).contains("AccessDeniedException");
      assertUnharmed();
    } finally {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
  }

  private void assertUnharmed() throws IOException {
    assertThat(Files.readAllBytes(first)).isEqualTo(before);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .noneMatch(name -> name.endsWith(".tmp"));
    }
    for (Path checkpoint : CheckpointFolder.checkpoints(folder)) {
      try (TensorFile file = TensorFile.open(checkpoint)) {
        file.verify();
      }
    }
  }

  /** Saves one checkpoint more, in a process of its own, and returns all that it says. */
  private String run(List<String> prefix) throws Exception {
    Path log = logs.resolve("log");
    Process process =
        ChildJvm.start(log, prefix, CheckpointWriterProgram.class, folder.toString(), "1", "here");
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output + Files.readString(log);
  }

  private static boolean isRoot() throws Exception {
    Process id = new ProcessBuilder("id", "-u").start();
    return new String(id.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
        .trim()
        .equals("0");
  }

  private static boolean canRun(String... command) throws InterruptedException {
    try {
      return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }
}
