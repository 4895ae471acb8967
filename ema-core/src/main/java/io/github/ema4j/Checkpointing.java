package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.checkpoint.SavedAverage;
import io.github.ema4j.internal.EntryMatcher;
import io.github.ema4j.internal.EntryMatcher.Leeway;
import io.github.ema4j.internal.Shadow;
import io.github.ema4j.internal.Slot;
import io.github.ema4j.internal.TensorPairs;
import io.github.ema4j.internal.TensorPairs.Tensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Saves averages together with their model, and resumes them.
 *
 * @param averages the engine
 * @param names the averages' names, in the order of the engine's members
 */
record Checkpointing<M, T>(Averages<M, T> averages, ImmutableList<String> names) {
  private static final Logger LOG = LoggerFactory.getLogger(ModelEma.class);

  private interface Writing {
    void run() throws IOException;
  }

  void save(Path file) throws IOException {
    exclusively("save the average", () -> live().write(file));
  }

  CheckpointContent capture() {
    return averages.gate().exclusively("save the average", this::copied);
  }

  void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
    checkpoint.verify();
    averages.gate().exclusively("resume the average", () -> resume(checkpoint, choice));
  }

  private void exclusively(String action, Writing work) throws IOException {
    try {
      averages
          .gate()
          .exclusively(
              action,
              () -> {
                try {
                  work.run();
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private CheckpointContent live() {
    CheckpointContent.Builder content = content();
    content.model(view(model()));
    for (int i = 0; i < names.size(); i++) {
      addAverage(content, i, view(average(i)));
    }
    return content.build();
  }

  private CheckpointContent.Builder content() {
    CheckpointContent.Builder content = CheckpointContent.builder();
    if (!averages.others().isEmpty()) {
      List<Slot> all =
          Stream.concat(averages.slots().stream(), averages.others().stream()).toList();
      long averaged = all.stream().filter(Slot::isKept).count();
      content.shardOf(all.size() + names.size() * averaged);
    }
    return content;
  }

  private StateDict<T> view(Tensors<T> tensors) {
    return new FixedStateDict<>(averages.backend(), ImmutableList.copyOf(tensors.entries()));
  }

  private CheckpointContent copied() {
    List<StateDict<T>> copies = new ArrayList<>();
    try {
      copies.add(copy(model()));
      for (int i = 0; i < names.size(); i++) {
        copies.add(copy(average(i)));
      }
    } catch (RuntimeException | Error e) {
      copies.forEach(StateDict::close);
      throw e;
    }
    CheckpointContent.Builder content = content();
    content.model(copies.get(0));
    for (int i = 0; i < names.size(); i++) {
      addAverage(content, i, copies.get(i + 1));
    }
    return content.build();
  }

  private StateDict<T> copy(Tensors<T> tensors) {
    List<TensorSpec> onHost =
        tensors.entries().stream().map(entry -> entry.spec().withDevice(Device.CPU)).toList();
    Shadow<T> copy = Shadow.copyOf(tensors, onHost);
    return new OwnedStateDict<>(averages.backend(), copy.entries(), copy::release);
  }

  private Tensors<T> model() {
    return averages.bind(averages.model()).all();
  }

  private Tensors<T> average(int index) {
    return averages.members().get(index).shadow().tensors("average");
  }

  private void addAverage(CheckpointContent.Builder content, int index, StateDict<T> weights) {
    content.average(
        names.get(index), config(index), averages.members().get(index).progress(), weights);
  }

  private EmaConfig config(int index) {
    DecaySchedule schedule = averages.members().get(index).clock().schedule();
    EmaConfig shared = averages.config();
    return shared.withStrategy(shared.strategy().scheduled(schedule));
  }

  private void resume(Checkpoint checkpoint, OnConfigChange choice) {
    Path file = checkpoint.path();
    List<SavedAverage> saved = saved(checkpoint);
    Optional<Setup<T>> setup = newSetup(file, saved, choice);
    try {
      List<Slot> slots = setup.map(Setup::slots).orElse(averages.slots());
      List<Slot> others = setup.map(Setup::others).orElse(averages.others());
      List<Shadow<T>> shadows =
          setup
              .<List<Shadow<T>>>map(Setup::shadows)
              .orElseGet(() -> averages.members().stream().map(Member::shadow).toList());
      load(checkpoint, saved, slots, others, shadows);
    } catch (RuntimeException | Error e) {
      setup.ifPresent(made -> made.shadows().forEach(Shadow::release));
      throw e;
    }
    setup.ifPresent(averages::take);
    for (int i = 0; i < saved.size(); i++) {
      goOn(file, averages.members().get(i), saved.get(i));
    }
    averages.modelLoaded();
    LOG.info("Resumed from {}: {}", file, averages.members().get(0).progress());
  }

  private void goOn(Path file, Member<M, T> member, SavedAverage saved) {
    member.note(saved.progress().orElse(Progress.START));
    if (saved.progress().isEmpty()) {
      long first = averages.config().timing().every();
      LOG.warn(
          "{} does not say how far an average had come: its schedule begins anew, and the next"
              + " update keeps {} of it; load(state, progress) says it",
          file,
          member.clock().schedule().decay(first, first));
    }
  }

  /** Returns what the averages are resumed from, in their order. */
  private List<SavedAverage> saved(Checkpoint checkpoint) {
    ImmutableMap<String, SavedAverage> saved = checkpoint.averages();
    Path file = checkpoint.path();
    if (saved.isEmpty()) {
      LOG.warn("{} has no average: starting one from the model's weights that it has", file);
      SavedAverage start =
          new SavedAverage(checkpoint.model().orElseThrow(), Optional.empty(), Optional.empty());
      return names.stream().map(name -> start).toList();
    }
    if (saved.size() == 1 && names.size() == 1) {
      return saved.values().asList();
    }
    checkArgument(
        saved.size() == names.size() && saved.keySet().containsAll(names),
        "%s has the averages %s, but these are %s; load single ones with Checkpoint.averages",
        file,
        saved.keySet(),
        names);
    return names.stream()
        .map(name -> saved.getOrDefault(name, saved.values().asList().get(0)))
        .toList();
  }

  /** Returns the averages anew if they are to have the file's configuration, which is another. */
  private Optional<Setup<T>> newSetup(Path file, List<SavedAverage> saved, OnConfigChange choice) {
    List<String> differences = new ArrayList<>();
    for (int i = 0; i < saved.size(); i++) {
      differences.addAll(differences(saved.get(i), i));
    }
    if (differences.isEmpty()) {
      return Optional.empty();
    }
    String told = differences.stream().distinct().collect(Collectors.joining("\n  ", "\n  ", ""));
    checkArgument(
        choice != OnConfigChange.REFUSE,
        "%s was saved with another configuration; make them the same, or choose"
            + " OnConfigChange.TAKE_FILE or TAKE_PROGRAM:%s",
        file,
        told);
    LOG.warn("Resuming from {} by {}, though configurations differ:{}", file, choice, told);
    return choice == OnConfigChange.TAKE_FILE ? Optional.of(setupOf(saved)) : Optional.empty();
  }

  private List<String> differences(SavedAverage saved, int index) {
    Optional<String> text = saved.configText();
    EmaConfig own = config(index);
    if (text.isEmpty() || text.get().equals(own.toString())) {
      return List.of();
    }
    try {
      return ConfigDifferences.between(EmaSections.saved(text.get()), own);
    } catch (IllegalArgumentException e) { // a schedule that is code has no other form
      return List.of(String.format("the checkpoint has %s, the program %s", text.get(), own));
    }
  }

  private Setup<T> setupOf(List<SavedAverage> saved) {
    List<EmaConfig> configs =
        saved.stream().map(each -> EmaSections.saved(each.configText().orElseThrow())).toList();
    EmaConfig first = configs.get(0);
    EmaConfig shared =
        new EmaConfig(
            first.strategy(),
            first.rule(),
            first.policy(),
            first.shadowType(),
            averages.device(),
            first.timing(),
            first.guard(),
            averages.config().canary(),
            first.flushSubnormals());
    return averages.setup(
        shared, configs.stream().map(each -> each.strategy().schedule()).toList());
  }

  /** Pairs all tensors, opens them, and only then writes any. */
  private void load(
      Checkpoint checkpoint,
      List<SavedAverage> saved,
      List<Slot> slots,
      List<Slot> others,
      List<Shadow<T>> shadows) {
    List<TensorPairs<T, FileTensor>.Opened> opened = new ArrayList<>();
    for (int i = 0; i < saved.size(); i++) {
      // By position would be a zip: other programs write tensors in an order of their own.
      averages
          .loading(slots, others, shadows.get(i), Pairing.NAME_MATCHED, saved.get(i).weights())
          .ifPresent(pairs -> opened.add(pairs.open()));
    }
    if (checkpoint.averages().isEmpty()) {
      opened.forEach(averages::checkFinite);
    }
    checkpoint.model().ifPresent(model -> opened.add(loadingModel(checkpoint, model).open()));
    opened.forEach(TensorPairs.Opened::copy);
  }

  private TensorPairs<T, FileTensor> loadingModel(
      Checkpoint checkpoint, StateDict<FileTensor> saved) {
    Tensors<T> model = averages.bind(averages.model()).whole();
    List<Slot> slots =
        model.entries().stream()
            .map(entry -> new Slot(entry.name(), entry.spec(), Treatment.COPY))
            .toList();
    // Our own files have the model's types; from those of others, it may be converted.
    Leeway leeway = Leeway.of(isOfOthers(checkpoint), true);
    List<Entry<FileTensor>> matched =
        EntryMatcher.match(
            Pairing.NAME_MATCHED, leeway, slots, saved.entries(), "checkpoint's model");
    return TensorPairs.loading(
        model, new Tensors<>("checkpoint's model", saved.backend(), matched));
  }

  private static boolean isOfOthers(Checkpoint checkpoint) {
    return checkpoint.averages().values().stream().allMatch(each -> each.progress().isEmpty());
  }
}
