package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Splitter;
import com.google.common.primitives.ImmutableDoubleArray;
import io.github.ema4j.ElementType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/** The process that measures one framework: two of them may bring natives that one cannot load. */
final class MeasuringJvm<M, T> {
  /** So many take long enough to be compared. */
  private static final int DEMO_STEPS = 100;

  private final Framework<M, T> framework;
  private final Scope scope;
  private final Groups<M, T> groups;
  private final Rounds rounds;
  private final List<Measurement> measurements = new ArrayList<>();

  private MeasuringJvm(Framework<M, T> framework, Scope scope) {
    this.framework = framework;
    this.scope = scope;
    groups = new Groups<>(framework, scope.isQuick());
    rounds = new Rounds(scope.rounds(), scope.warmUpMillis(), framework::useThreads);
  }

  /**
   * Measures, and writes what was found to a file.
   *
   * @param args the framework, the parts of the program with commas between them, the scope, and
   *     the file
   */
  public static void main(String[] args) throws IOException {
    checkArgument(args.length == 4, "expected framework, parts, scope and file");
    MeasuringJvm<?, ?> jvm = new MeasuringJvm<>(framework(args[0]), Scope.valueOf(args[2]));
    Splitter.on(',').splitToStream(args[1]).map(Part::valueOf).forEach(jvm::measure);
    Measurement.write(Path.of(args[3]), jvm.measurements);
    System.exit(0); // threads of the frameworks would keep the process
  }

  private static Framework<?, ?> framework(String name) {
    return switch (name) {
      case "arrays" -> new ArrayFramework();
      case "djl" -> new DjlFramework();
      case "dl4j" -> new Nd4jFramework();
      case "torch" -> new TorchFramework();
      default -> throw new IllegalArgumentException("there is no framework '" + name + "'");
    };
  }

  private void measure(Part part) {
    switch (part) {
      case FLOAT32 -> scope.shapes().forEach(shape -> measureUpdates(shape, ElementType.F32));
      case BFLOAT16 -> scope.shapes().forEach(shape -> measureUpdates(shape, ElementType.BF16));
      case SHORT_FLOAT32 -> {
        measureUpdates(ModelShape.resNet50(), ElementType.F32);
        measureUpdates(ModelShape.small(), ElementType.F32);
      }
      case SHORT_BFLOAT16 -> measureUpdates(ModelShape.resNet50(), ElementType.BF16);
      case BANK -> measure(groups::bank);
      case LINEAR -> measure(groups::linear);
      case TRAINING -> measureTraining();
    }
  }

  private void measureTraining() {
    checkArgument(
        framework instanceof TrainingFramework, "there is no training on %s", framework.name());
    TrainingFramework<M, T> trained = (TrainingFramework<M, T>) framework;
    measure(() -> TrainingGroups.partsOf(trained.training(scope.isQuick())));
    measure(() -> TrainingGroups.demo(trained.demoName(), scope.isQuick() ? 2 : DEMO_STEPS));
  }

  private void measureUpdates(ModelShape shape, ElementType type) {
    measure(() -> groups.updates(shape, type));
  }

  private void measure(Supplier<Group> maker) {
    long begin = System.nanoTime();
    try (Group group = maker.get()) {
      List<ImmutableDoubleArray> samples = rounds.measure(group);
      for (int i = 0; i < samples.size(); i++) {
        Contender contender = group.contenders().get(i);
        measurements.add(
            new Measurement(
                framework.name() + ", JDK " + Runtime.version().feature(),
                group.name(),
                contender.name(),
                contender.threads(),
                contender.parameters(),
                contender.bytes(),
                samples.get(i)));
      }
      System.out.printf(
          Locale.ROOT, "  %s: %.0f s%n", group.name(), (System.nanoTime() - begin) / 1e9);
    }
  }
}
