package io.github.ema4j.posthoc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.google.common.collect.ImmutableMap;
import com.sun.management.ThreadMXBean;
import io.github.ema4j.ElementType;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.TensorFile;
import io.github.ema4j.internal.SeededTensors;
import io.github.ema4j.merge.Merge;
import io.github.ema4j.merge.MergePlan;
import io.github.ema4j.schedule.PowerFunction;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SnapshotFolderTest {
  private static final PowerFunction SHORT = PowerFunction.ofSigmaRel(0.05);
  private static final PowerFunction LONG = PowerFunction.ofSigmaRel(0.10);
  private static final EntryPolicy POLICY =
      EntryPolicy.defaults().with(Role.STATISTIC, Treatment.COPY);

  @TempDir private Path folder;

  /** Every type, ties, strides, copied statistics and counters, added in no order. */
  @Test
  void reconstructionsHaveTheBitsOfThoseInMemory() throws IOException {
    long seed = new Random().nextLong();
    List<Profile> profiles = new ArrayList<>();
    for (int time = 10; time <= 40; time += 10) {
      profiles.add(Profile.at(time, SHORT));
      profiles.add(Profile.at(time, LONG));
    }
    List<StateDict<ArrayTensor>> states =
        profiles.stream().map(profile -> state(new Random(seed + profile.hashCode()))).toList();
    List<Integer> order = new ArrayList<>(List.of(0, 1, 2, 3, 4, 5, 6, 7));
    Collections.shuffle(order.subList(1, 8), new Random(seed)); // the first lays out the entries
    try (Snapshots memory = Snapshots.keepingAll(POLICY);
        Snapshots kept = Snapshots.inFolder(folder, POLICY)) {
      for (int i = 0; i < 8; i++) {
        memory.add(states.get(i), profiles.get(i));
        kept.add(states.get(order.get(i)), profiles.get(order.get(i)));
      }
      assertThat(kept.profiles()).as("seed %d", seed).isEqualTo(profiles);
      try (Snapshots opened = Snapshots.open(folder)) {
        assertThat(opened.profiles()).isEqualTo(profiles);
        assertThat(opened.bytes()).isEqualTo(memory.bytes()).isEqualTo(kept.bytes());
        for (Profile target :
            List.of(Profile.ofSigmaRel(40, 0.08), Profile.ofSigmaRel(35, 0.12), profiles.get(3))) {
          StateDict<ArrayTensor> expected = memory.reconstruct(target);
          assertSame(kept.reconstruct(target), expected, seed);
          assertSame(opened.reconstruct(target), expected, seed);

          try (StateDict<?> streamed = opened.streamed(target, Merge.LEAST_BYTES, bytes -> {})) {
            SeededTensors.assertSameBits(streamed, expected, "seed " + seed);
            Map<String, Object> tensors = new HashMap<>();
            streamed.entries().forEach(entry -> tensors.put(entry.name(), entry.tensor()));
            assertThat(tensors.get("tied")).isSameAs(tensors.get("matrix"));
          }

          Path written = folder.resolve("average.of");
          opened.reconstruct(target, written);
          try (TensorFile file = TensorFile.open(written)) {
            file.verify();
            SeededTensors.assertSameBits(file.stateDict(), expected, "seed " + seed);
          }
        }
      }
    }
  }

  private static void assertSame(
      StateDict<ArrayTensor> actual, StateDict<ArrayTensor> expected, long seed) {
    SeededTensors.assertSameBits(actual, expected, "seed " + seed);
    assertThat(actual.entries())
        .extracting(Entry::name, Entry::role, Entry::spec)
        .isEqualTo(
            expected.entries().stream()
                .map(entry -> tuple(entry.name(), entry.role(), entry.spec()))
                .toList());
    assertThat(tensor(actual, "tied")).isSameAs(tensor(actual, "matrix"));
  }

  private static StateDict<ArrayTensor> state(Random random) {
    StateDict<ArrayTensor> all = SeededTensors.ofAllTypes(random);
    StateDict.Builder<ArrayTensor> state = StateDict.builder(ArrayBackend.instance());
    float[] values = {random.nextFloat(), random.nextFloat(), random.nextFloat(), -0.0f};
    ArrayTensor matrix =
        ArrayTensor.view(ElementType.F32, values, 0, new long[] {2, 2}, new long[] {1, 2});
    state.parameter("matrix", matrix);
    all.entries().forEach(entry -> state.add(entry.name(), entry.tensor(), entry.role()));
    state.statistic("mean", ArrayTensor.of(new double[] {random.nextDouble()}, 1));
    state.statistic("var", ArrayTensor.of(new float[] {random.nextFloat()}, 1));
    return state.parameter("tied", matrix).build();
  }

  @Test
  void aSnapshotIsAnOrdinaryFileOfFloat32Weights() throws IOException {
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(weights(1, 2), new Profile(12, 3));
    }
    Path file = folder.resolve("snapshot-000000000012-gamma3.0.safetensors");
    try (TensorFile tensors = TensorFile.open(file);
        Checkpoint checkpoint = Checkpoint.open(file)) {
      tensors.verify();
      assertThat(tensors.metadata())
          .containsEntry("ema4j.posthoc.format", "1")
          .containsEntry("ema4j.posthoc.time", "12")
          .containsEntry("ema4j.posthoc.gamma", "3.0")
          .containsEntry(
              "ema4j.posthoc.sigmaRel", String.valueOf(PowerFunction.ofGamma(3).sigmaRel()))
          .containsEntry("ema4j.posthoc.entry.w", "PARAMETER combined");
      assertThat(checkpoint.model().orElseThrow().entries())
          .extracting(Entry::name)
          .containsExactly("w");
    }
  }

  @Test
  void theLatestFilesAreKeptUpToTheLimit() throws IOException {
    try (Snapshots snapshots = Snapshots.inFolder(folder, 2, EntryPolicy.defaults())) {
      for (int time = 1; time <= 3; time++) {
        snapshots.add(weights(time), Profile.at(time, SHORT));
        snapshots.add(weights(-time), Profile.at(time, LONG));
      }
      assertThat(snapshots.profiles()).containsExactly(Profile.at(3, SHORT), Profile.at(3, LONG));
    }
    assertThat(files()).hasSize(2).allMatch(name -> name.startsWith("snapshot-000000000003-"));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Snapshots.inFolder(folder, 0, EntryPolicy.defaults()))
        .withMessage("limit must be at least 1, but was 0");
  }

  @Test
  void aFolderIsMadeToKeepAndNotToRead() throws IOException {
    Path missing = folder.resolve("a").resolve("b");
    assertThatExceptionOfType(NoSuchFileException.class)
        .isThrownBy(() -> Snapshots.open(missing))
        .withMessage(missing.toString());
    assertThat(missing).doesNotExist();
    Snapshots.inFolder(missing, EntryPolicy.defaults()).close();
    assertThat(missing).isEmptyDirectory();
    try (Snapshots opened = Snapshots.open(missing)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> opened.reconstruct(0.08))
          .withMessage("there are no snapshots yet");
      assertThatIllegalStateException()
          .isThrownBy(() -> opened.add(weights(1), new Profile(1, 1)))
          .withMessage(
              "the folder " + missing + " was opened for reading; Snapshots.inFolder adds");
    }
    assertThat(missing).isEmptyDirectory();
  }

  @Test
  void whatADeadProcessLeftIsDeletedBeforeSnapshotsAreAdded() throws IOException {
    Path left = Files.write(folder.resolve(".ema4j-1.tmp"), new byte[] {1});
    Snapshots.open(folder).close();
    assertThat(left).exists();

    Snapshots.inFolder(folder, EntryPolicy.defaults()).close();

    assertThat(left).doesNotExist();
  }

  @Test
  void filesThatAreNoSoundSnapshotsAreToldTogether() throws IOException {
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(weights(1, 2), new Profile(1, 1));
      snapshots.add(weights(1, 2), new Profile(2, 1));
      snapshots.add(weights(1, 2), new Profile(3, 1));
    }
    Path first = folder.resolve("snapshot-000000000001-gamma1.0.safetensors");
    Path cut = folder.resolve("snapshot-000000000002-gamma1.0.safetensors");
    byte[] bytes = Files.readAllBytes(cut);
    Files.write(cut, Arrays.copyOf(bytes, bytes.length - 1));
    Files.copy(first, folder.resolve("snapshot-9.safetensors"));
    TensorFile.write(folder.resolve("weights.safetensors"), weights(1, 2), Map.of());
    Path elsewhere = folder.resolve("elsewhere");
    try (Snapshots others = Snapshots.inFolder(elsewhere, EntryPolicy.defaults())) {
      others.add(weights(1, 2, 3), new Profile(7, 1));
    }
    Files.move(
        elsewhere.resolve("snapshot-000000000007-gamma1.0.safetensors"),
        folder.resolve("snapshot-000000000007-gamma1.0.safetensors"));
    Files.writeString(folder.resolve("notes.txt"), "mine");

    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Snapshots.open(folder))
        .withMessage(
            """
            FOLDER: these files cannot be used; take them out of the folder:
              FOLDER/snapshot-000000000002-gamma1.0.safetensors: 'w': it ends at byte 8, but there are 7 bytes of data: the file was cut off
              FOLDER/snapshot-000000000007-gamma1.0.safetensors: its entries are not those of FOLDER/snapshot-000000000001-gamma1.0.safetensors
              FOLDER/snapshot-9.safetensors: FOLDER/snapshot-000000000001-gamma1.0.safetensors is of the same Profile[time=1, gamma=1.0]
              FOLDER/weights.safetensors: 'ema4j.posthoc.entry.w': the metadata do not have it; it is not a snapshot that was kept here"""
                .replace("FOLDER", folder.toString()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ema4j.posthoc.format  | 2 | it is of version 2, and this program reads version 1; update it",
        "ema4j.posthoc.time    | x | 'x' is not a number",
        "ema4j.posthoc.time    | 0 | the time of a profile must be at least 1, but was 0",
        "ema4j.posthoc.gamma   | NaN | gamma must be finite and at least",
        "ema4j.posthoc.entry.w | PARAMETER | 'PARAMETER' does not say what it is",
        "ema4j.posthoc.entry.w | WEIGHT combined | 'WEIGHT combined' does not say what it is",
        "ema4j.posthoc.entry.w | COUNTER mixed | 'COUNTER mixed' does not say what it is",
        "ema4j.posthoc.entry.w | PARAMETER combined v | it is tied to 'v', which is not before it, or not like it",
      })
  void whatAFileSaysOfItselfIsChecked(String key, String value, String reason) throws IOException {
    Map<String, String> sound =
        Map.of(
            "ema4j.posthoc.format", "1",
            "ema4j.posthoc.time", "1",
            "ema4j.posthoc.gamma", "1",
            "ema4j.posthoc.entry.w", "PARAMETER combined");
    Path file = folder.resolve("snapshot.safetensors");
    TensorFile.write(file, weights(1), sound);
    Snapshots.open(folder).close();
    TensorFile.write(
        file,
        weights(1),
        ImmutableMap.<String, String>builder().putAll(sound).put(key, value).buildKeepingLast());

    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Snapshots.open(folder))
        .withMessageContaining(reason);
  }

  @Test
  void tiedTensorsLookAlike() throws IOException {
    TensorFile.write(
        folder.resolve("snapshot.safetensors"),
        pair(ArrayTensor.of(new float[1], 1), ArrayTensor.of(new float[2], 2)),
        Map.of(
            "ema4j.posthoc.format", "1",
            "ema4j.posthoc.time", "1",
            "ema4j.posthoc.gamma", "1",
            "ema4j.posthoc.entry.in", "PARAMETER combined",
            "ema4j.posthoc.entry.out", "PARAMETER combined in"));

    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Snapshots.open(folder))
        .withMessageContaining("'out': it is tied to 'in', which is not before it, or not like it");
  }

  @Test
  void tensorsThatAreToBeCombinedAreFloat32() throws IOException {
    TensorFile.write(
        folder.resolve("snapshot.safetensors"),
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(new double[1], 1))
            .build(),
        Map.of(
            "ema4j.posthoc.format", "1",
            "ema4j.posthoc.time", "1",
            "ema4j.posthoc.gamma", "1",
            "ema4j.posthoc.entry.w", "PARAMETER combined"));

    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Snapshots.open(folder))
        .withMessageContaining("'w': it is combined, but is F64 instead of F32");
  }

  @Test
  void aDamagedFileIsRefusedWhereItIsNeeded() throws IOException {
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(weights(1, 2), new Profile(1, 1));
      snapshots.add(weights(3, 4), new Profile(2, 1));
    }
    Path damaged = folder.resolve("snapshot-000000000001-gamma1.0.safetensors");
    byte[] bytes = Files.readAllBytes(damaged);
    bytes[bytes.length - 1] ^= 1;
    Files.write(damaged, bytes);

    try (Snapshots opened = Snapshots.open(folder)) {
      assertThat(floats(opened.reconstruct(new Profile(2, 1)))).containsExactly(3, 4);
      assertThatThrownBy(() -> opened.reconstruct(new Profile(2, 2)))
          .isInstanceOf(CheckpointException.class)
          .hasMessageStartingWith(damaged + ": the file was damaged or changed");
      Path target = folder.resolve("average");
      assertThatThrownBy(() -> opened.reconstruct(new Profile(2, 2), target))
          .isInstanceOf(CheckpointException.class);
      assertThat(target).doesNotExist();
    }
  }

  @Test
  void aDamagedFileIsRefusedWhereOnlyItsCopiedEntriesAreNeeded() throws IOException {
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .parameter("w", ArrayTensor.of(new float[] {1}, 1))
            .counter("batches", ArrayTensor.of(new long[] {7}, 1))
            .build();
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(state, new Profile(2, 5));
      snapshots.add(state, new Profile(2, 1));
    }
    Path last = folder.resolve("snapshot-000000000002-gamma1.0.safetensors");
    byte[] bytes = Files.readAllBytes(last);
    bytes[bytes.length - 1] ^= 1;
    Files.write(last, bytes);

    try (Snapshots opened = Snapshots.open(folder)) {
      assertThatThrownBy(() -> opened.reconstruct(new Profile(2, 5)))
          .isInstanceOf(CheckpointException.class)
          .hasMessageStartingWith(last + ": the file was damaged or changed");
    }
  }

  @Test
  void aSnapshotThatDoesNotFitLeavesNoFile() throws IOException {
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(weights(1, 2), new Profile(1, 1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> snapshots.add(weights(1, 2, 3), new Profile(2, 1)))
          .withMessageContaining("shape mismatch for 'w'");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> snapshots.add(weights(1, 2), new Profile(1, 1)));
      StateDict<ArrayTensor> closed = weights(5, 6);
      ArrayBackend.instance().release(List.of(closed.entries().get(0).tensor()));
      assertThatIllegalStateException().isThrownBy(() -> snapshots.add(closed, new Profile(2, 1)));
      assertThat(snapshots.profiles()).containsExactly(new Profile(1, 1));
    }
    assertThat(files()).containsExactly("snapshot-000000000001-gamma1.0.safetensors");
  }

  @Test
  void aPolicyThatIsNotThatOfTheFilesIsRefused() throws IOException {
    StateDict<ArrayTensor> state =
        StateDict.builder(ArrayBackend.instance())
            .statistic("mean", ArrayTensor.of(new float[] {1}, 1))
            .build();
    try (Snapshots snapshots = Snapshots.inFolder(folder, POLICY)) {
      snapshots.add(state, new Profile(1, 1));
    }
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> snapshots.add(state, new Profile(2, 1)))
          .withMessageStartingWith(
              "'mean' was copied in the first snapshot, but the policy EntryPolicy[")
          .withMessageEndingWith("says otherwise");
    }
  }

  @Test
  void tiesAreKeptOrRefused() throws IOException {
    ArrayTensor shared = ArrayTensor.of(new float[] {1, 2}, 2);
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(pair(shared, shared), new Profile(1, 1));
      assertThatIllegalArgumentException()
          .isThrownBy(
              () ->
                  snapshots.add(
                      pair(shared, ArrayTensor.of(new float[] {1, 2}, 2)), new Profile(2, 1)))
          .withMessage(
              "'in' and 'out' are tied in the snapshot but not in the state; tie them alike");
    }
    try (Snapshots opened = Snapshots.open(folder)) {
      StateDict<ArrayTensor> result = opened.reconstruct(new Profile(1, 1));
      assertThat(tensor(result, "in")).isSameAs(tensor(result, "out"));
    }
  }

  @Test
  void aPlanSaysWhatOthersAreToCompute() throws IOException {
    ArrayTensor shared = ArrayTensor.of(new float[] {1, 2}, 2);
    try (Snapshots snapshots = Snapshots.inFolder(folder, POLICY)) {
      for (int time : new int[] {30, 10, 20}) {
        snapshots.add(
            StateDict.builder(ArrayBackend.instance())
                .parameter("w", shared)
                .counter("n", ArrayTensor.of(new long[] {time}))
                .parameter("tied", shared)
                .build(),
            Profile.at(time, SHORT));
      }
      Profile target = Profile.ofSigmaRel(25, 0.08);
      double[] weights = PostHoc.weights(snapshots.profiles(), target);

      MergePlan plan = snapshots.plan(target);

      List<MergePlan.Term> sum = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        sum.add(new MergePlan.Term(i, "w", ElementType.F32, weights[i]));
      }
      assertThat(plan.entries())
          .extracting(MergePlan.Entry::name, MergePlan.Entry::summed, MergePlan.Entry::terms)
          .containsExactly(
              tuple("w", true, sum),
              tuple("n", false, List.of(new MergePlan.Term(1, "n", ElementType.I64, weights[1]))),
              tuple("tied", true, sum));
      assertThat(snapshots.plan(Profile.at(20, SHORT)).entries().get(0).terms())
          .containsExactly(new MergePlan.Term(1, "w", ElementType.F32, 1));
    }
  }

  @Test
  void filesThatAreOpenAreTakenAndClosed() throws IOException {
    List<TensorFile> opened = new ArrayList<>();
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      snapshots.add(weights(1, 2), Profile.at(2, SHORT));
      snapshots.add(weights(3, 4), Profile.at(1, SHORT));
    }
    for (String name : files()) {
      opened.add(TensorFile.open(folder.resolve(name)));
    }
    assertThat(opened)
        .extracting(Snapshots::profile)
        .containsExactly(Profile.at(1, SHORT), Profile.at(2, SHORT));
    Collections.reverse(opened);
    try (Snapshots snapshots = Snapshots.of(folder, opened)) {
      assertThat(snapshots.profiles()).containsExactly(Profile.at(1, SHORT), Profile.at(2, SHORT));
      assertThat(floats(snapshots.reconstruct(Profile.at(2, SHORT)))).containsExactly(1, 2);
      assertThatIllegalStateException()
          .isThrownBy(() -> snapshots.add(weights(5, 6), Profile.at(3, SHORT)))
          .withMessageContaining("was opened for reading");
    }
    assertThatIllegalStateException().isThrownBy(() -> opened.get(0).verify());
    assertThatExceptionOfType(CheckpointException.class)
        .isThrownBy(() -> Snapshots.of(folder, List.of(foreign(), foreign())))
        .withMessageStartingWith(folder + ": these files cannot be used");
  }

  private TensorFile foreign() throws IOException {
    Path file = folder.resolve("weights");
    TensorFile.write(file, weights(1), Map.of());
    return TensorFile.open(file);
  }

  /** What is allocated is less than a tensor, of snapshots of twenty. */
  @Test
  void snapshotsStayInTheirFiles() throws IOException {
    int elements = 1 << 20;
    float[] values = new float[elements];
    try (Snapshots snapshots = Snapshots.inFolder(folder, EntryPolicy.defaults())) {
      for (int i = 1; i <= 20; i++) {
        Arrays.fill(values, i);
        snapshots.add(weights(values), Profile.at(10L * i, i % 2 == 0 ? SHORT : LONG));
      }
    }
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    reconstructFromFiles(); // loads classes, which allocates too
    long before = threads.getCurrentThreadAllocatedBytes();
    reconstructFromFiles();

    assertThat(threads.getCurrentThreadAllocatedBytes() - before)
        .isLessThan((long) Float.BYTES * elements / 2);
  }

  private void reconstructFromFiles() throws IOException {
    try (Snapshots opened = Snapshots.open(folder)) {
      opened.reconstruct(Profile.ofSigmaRel(200, 0.08), folder.resolve("average"));
    }
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static StateDict<ArrayTensor> weights(float... values) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("w", ArrayTensor.of(values, values.length))
        .build();
  }

  private static StateDict<ArrayTensor> pair(ArrayTensor in, ArrayTensor out) {
    return StateDict.builder(ArrayBackend.instance())
        .parameter("in", in)
        .parameter("out", out)
        .build();
  }

  private static float[] floats(StateDict<ArrayTensor> state) {
    return (float[]) tensor(state, "w").array();
  }

  private static ArrayTensor tensor(StateDict<ArrayTensor> state, String name) {
    return state.entries().stream()
        .filter(entry -> entry.name().equals(name))
        .findFirst()
        .orElseThrow()
        .tensor();
  }
}
