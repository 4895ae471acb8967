package io.github.ema4j.testkit;

import com.google.common.primitives.Floats;
import io.github.ema4j.Device;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.Progress;
import io.github.ema4j.StateDict;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.checkpoint.Checkpoint;
import io.github.ema4j.checkpoint.CheckpointContent;
import io.github.ema4j.checkpoint.CheckpointException;
import io.github.ema4j.checkpoint.OnConfigChange;
import io.github.ema4j.testkit.toy.ForwardingEma;
import io.github.ema4j.testkit.toy.ToyAdapter;
import io.github.ema4j.testkit.toy.ToyBackend;
import io.github.ema4j.testkit.toy.ToyModel;
import io.github.ema4j.testkit.toy.ToySubject;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Averages that are saved or resumed wrongly. */
final class CheckpointMutants {
  private static final ToyAdapter ADAPTER = new ToyAdapter(new ToyBackend());

  private CheckpointMutants() {}

  static List<Mutant> all() {
    return List.of(
        mutant(
            "that leaves the model as it was when it resumes",
            "C01 C03 C06 C07 C09 C12 C13 C14 C15 C16",
            (real, config, model) -> keepingTheModel(real, model)),
        mutant(
            "that resumes the model's weights as the average",
            "C01 C02 C03 C06 C07 C12 C13 C14 C16",
            (real, config, model) -> spoiling(real, () -> real.set(model))),
        mutant(
            "that resumes without progress",
            "C01 C03 C06 C07 C12 C13 C14 C16",
            (real, config, model) -> spoiling(real, () -> forget(real))),
        mutant(
            "that is silent about saving while swapped",
            "C04",
            (real, config, model) ->
                new ForwardingEma(real) {
                  @Override
                  public void save(Path file) throws IOException {
                    if (!swapped()) {
                      super.save(file);
                    }
                  }
                }),
        mutant(
            "that takes its own configuration unasked",
            "C05",
            (real, config, model) ->
                resuming(
                    real,
                    (checkpoint, choice) ->
                        real.resumeFrom(
                            checkpoint,
                            choice == OnConfigChange.REFUSE
                                ? OnConfigChange.TAKE_PROGRAM
                                : choice))),
        mutant(
            "that never takes the file's configuration",
            "C06",
            (real, config, model) ->
                resuming(
                    real,
                    (checkpoint, choice) ->
                        real.resumeFrom(
                            checkpoint,
                            choice == OnConfigChange.TAKE_FILE
                                ? OnConfigChange.TAKE_PROGRAM
                                : choice))),
        mutant(
            "that captures itself without the model",
            "C07 C12",
            (real, config, model) ->
                new ForwardingEma(real) {
                  @Override
                  public CheckpointContent capture() {
                    super.capture().close(); // refused where it should be
                    return CheckpointContent.builder()
                        .average("", config, progress(), real.snapshot())
                        .build();
                  }
                }),
        mutant(
            "that captures what goes on moving",
            "C12",
            (real, config, model) ->
                new ForwardingEma(real) {
                  @Override
                  public CheckpointContent capture() {
                    super.capture().close();
                    return CheckpointContent.builder()
                        .model(ADAPTER.stateDict(model))
                        .average("", config, progress(), real.state())
                        .build();
                  }
                }),
        mutant(
            "that saves and resumes tensors backwards",
            "C08 C09 C12 C15",
            (real, config, model) -> new Backwards(real, config, model)),
        mutant(
            "that needs an average in the file",
            "C09",
            (real, config, model) ->
                resuming(
                    real,
                    (checkpoint, choice) -> {
                      if (!checkpoint.averages().isEmpty()) {
                        real.resumeFrom(checkpoint, choice);
                      }
                    })),
        mutant(
            "that passes over damage",
            "C10",
            (real, config, model) ->
                new ForwardingEma(real) {
                  @Override
                  public void resumeFrom(Path file, OnConfigChange choice) throws IOException {
                    try {
                      super.resumeFrom(file, choice);
                    } catch (CheckpointException e) {
                      // passed over
                    }
                  }
                }),
        mutant(
            "that has moved when a checkpoint does not fit",
            "C11",
            (real, config, model) -> movingWhenRefused(real, model)),
        mutant(
            "that unties what it resumes",
            "C13",
            (real, config, model) ->
                spoiling(
                    real,
                    () -> model.tensors().replaceAll((name, tensor) -> ADAPTER.copied(tensor)))),
        mutant(
            "that resumes float64 through float32",
            "C14",
            (real, config, model) -> spoiling(real, () -> round(model))),
        mutant(
            "that comes back on the host",
            "C16",
            (real, config, model) -> spoiling(real, () -> real.to(Device.CPU))));
  }

  /** Breaks an average. */
  private interface Breaking {
    ModelEma<ToyModel> of(ModelEma<ToyModel> real, EmaConfig config, ToyModel model);
  }

  /** What a broken average does in place of resuming. */
  private interface Resuming {
    void from(Checkpoint checkpoint, OnConfigChange choice);
  }

  private static Mutant mutant(String name, String foundBy, Breaking breaking) {
    return new Mutant(
        "average " + name,
        foundBy,
        new ToySubject(new ToyAdapter(new ToyBackend())) {
          @Override
          public ModelEma<ToyModel> start(
              ModelEma.Builder<ToyModel> builder, EmaConfig config, ToyModel model) {
            return breaking.of(super.start(builder, config, model), config, model);
          }
        });
  }

  private static ModelEma<ToyModel> resuming(ModelEma<ToyModel> real, Resuming resuming) {
    return new ForwardingEma(real) {
      @Override
      public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
        resuming.from(checkpoint, choice);
      }
    };
  }

  /** Resumes well, and then spoils it. */
  private static ModelEma<ToyModel> spoiling(ModelEma<ToyModel> real, Runnable spoiling) {
    return resuming(
        real,
        (checkpoint, choice) -> {
          real.resumeFrom(checkpoint, choice);
          spoiling.run();
        });
  }

  private static void forget(ModelEma<ToyModel> real) {
    try (StateDict<?> state = real.snapshot()) {
      real.load(state, Progress.START);
    }
  }

  private static void round(ToyModel model) {
    for (ToyTensor tensor : model.distinctTensors()) {
      if (tensor.array().array() instanceof double[] values) {
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) values[i];
        }
      }
    }
  }

  private static ModelEma<ToyModel> keepingTheModel(ModelEma<ToyModel> real, ToyModel model) {
    return resuming(
        real,
        (checkpoint, choice) -> {
          List<ToyTensor> before = ADAPTER.copy(model).distinctTensors();
          real.resumeFrom(checkpoint, choice);
          ADAPTER.backend().copy(model.distinctTensors(), before);
        });
  }

  private static ModelEma<ToyModel> movingWhenRefused(ModelEma<ToyModel> real, ToyModel model) {
    return resuming(
        real,
        (checkpoint, choice) -> {
          try {
            real.resumeFrom(checkpoint, choice);
          } catch (IllegalArgumentException e) {
            if (String.valueOf(e.getMessage()).contains(" differ:")) {
              real.set(model);
            }
            throw e;
          }
        });
  }

  /** Has the last element of each float32 tensor first in its files. */
  private static final class Backwards extends ForwardingEma {
    private final EmaConfig config;
    private final ToyModel model;

    Backwards(ModelEma<ToyModel> real, EmaConfig config, ToyModel model) {
      super(real);
      this.config = config;
      this.model = model;
    }

    @Override
    public void save(Path file) throws IOException {
      try (CheckpointContent content = capture()) {
        content.write(file);
      }
    }

    @Override
    public CheckpointContent capture() {
      super.capture().close();
      return CheckpointContent.builder()
          .model(reversed(ADAPTER.stateDict(model)))
          .average("", config, progress(), reversed(state()))
          .build();
    }

    @Override
    public void resumeFrom(Checkpoint checkpoint, OnConfigChange choice) {
      super.resumeFrom(checkpoint, choice);
      model.distinctTensors().forEach(tensor -> reverse(tensor.array()));
      try (StateDict<?> state = reversed(state())) {
        super.load(state, progress());
      }
    }

    private static StateDict<ArrayTensor> reversed(StateDict<?> state) {
      StateDict.Builder<ArrayTensor> copies = StateDict.builder(ArrayBackend.instance());
      for (StateDict.Entry<?> entry : state.entries()) {
        ArrayTensor copy = ADAPTER.copied((ToyTensor) entry.tensor()).array();
        reverse(copy);
        copies.add(entry.name(), copy, entry.role());
      }
      return copies.build();
    }

    private static void reverse(ArrayTensor tensor) {
      if (tensor.array() instanceof float[] values) {
        Floats.reverse(values);
      }
    }
  }
}
