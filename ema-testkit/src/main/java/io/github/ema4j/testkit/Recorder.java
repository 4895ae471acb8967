package io.github.ema4j.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.common.collect.ImmutableSortedMap;
import io.github.ema4j.testkit.ConformanceRecord.Outcome;
import io.github.ema4j.testkit.ConformanceRecord.Result;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.opentest4j.TestAbortedException;

/**
 * Writes a {@link ConformanceRecord} for each backend at the end of a run, and prints what was
 * skipped and why. The configuration parameter or system property {@code ema.records.dir} names the
 * folder; where it is empty, nothing is written or printed.
 */
final class Recorder implements BeforeEachCallback, AfterEachCallback {
  private static final Namespace NAMESPACE = Namespace.create(Recorder.class);

  @Override
  public void beforeEach(ExtensionContext context) {
    RuleKit<?, ?> kit = kit(context);
    kit.evidence = new Evidence();
    Rule.of(context.getRequiredTestMethod())
        .reasonToSkip(kit.subject().capabilities())
        .ifPresent(reason -> assumeTrue(false, reason));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    RuleKit<?, ?> kit = kit(context);
    Rule rule = Rule.of(context.getRequiredTestMethod());
    Optional<Throwable> failure = context.getExecutionException();
    Outcome outcome =
        failure
            .map(
                thrown -> thrown instanceof TestAbortedException ? Outcome.SKIPPED : Outcome.FAILED)
            .orElse(Outcome.PASSED);
    boolean overridden =
        !ConformanceKit.kits().contains(context.getRequiredTestMethod().getDeclaringClass());
    Result result =
        new Result(
            rule.sentence(),
            outcome,
            outcome == Outcome.SKIPPED ? 0 : 1,
            outcome == Outcome.SKIPPED ? 1 : 0,
            failure.map(Recorder::message).orElse(""),
            kit.evidence.worstUlp(),
            overridden);
    run(context).add(kit.subject(), rule.id(), result, kit.evidence.cases());
  }

  private static String message(Throwable failure) {
    return String.valueOf(failure.getMessage()).replaceFirst("^Assumption failed: ", "");
  }

  private static RuleKit<?, ?> kit(ExtensionContext context) {
    return (RuleKit<?, ?>) context.getRequiredTestInstance();
  }

  private static Run run(ExtensionContext context) {
    String folder =
        context.getConfigurationParameter("ema.records.dir").orElse("target/ema-records");
    return context
        .getRoot()
        .getStore(NAMESPACE)
        .getOrComputeIfAbsent(Run.class, key -> new Run(folder), Run.class);
  }

  /** All that one run of JUnit finds; written when it ends. */
  static final class Run implements AutoCloseable {
    private final String folder;
    private final Map<String, Backend> backends = new TreeMap<>();

    private record Backend(
        BackendUnderTest<?, ?> subject, Map<String, Result> rules, Map<String, String> cases) {}

    Run(String folder) {
      this.folder = folder;
    }

    synchronized void add(
        BackendUnderTest<?, ?> subject, String rule, Result result, Map<String, String> cases) {
      Backend backend =
          backends.computeIfAbsent(
              subject.adapter().backend().name(),
              name -> new Backend(subject, new TreeMap<>(), new TreeMap<>()));
      backend.rules.merge(rule, result, Result::and);
      backend.cases.putAll(cases);
    }

    @Override
    public synchronized void close() throws IOException {
      if (folder.isEmpty()) {
        return;
      }
      for (Map.Entry<String, Backend> each : backends.entrySet()) {
        Path file = Path.of(folder).resolve(each.getKey() + ".json");
        ConformanceRecord record = record(each.getKey(), each.getValue());
        record.write(file);
        print(record, file, System.out);
      }
    }

    private static ConformanceRecord record(String name, Backend backend) {
      return new ConformanceRecord(
          name,
          backend.subject.version(),
          Runtime.version().toString(),
          backend.subject.capabilities().stream().map(Enum::name).sorted().toList(),
          ImmutableSortedMap.copyOf(backend.rules),
          ImmutableSortedMap.copyOf(backend.cases));
    }

    private static void print(ConformanceRecord record, Path file, PrintStream out) {
      out.printf(
          "Conformance of '%s': %d rules passed, %d failed, %d skipped; %s%n",
          record.backend(),
          count(record, Outcome.PASSED),
          count(record, Outcome.FAILED),
          count(record, Outcome.SKIPPED),
          file);
      record
          .rules()
          .forEach(
              (id, result) -> {
                if (result.skipped() > 0) {
                  out.printf(
                      "  skipped %s %s: %s%n",
                      id,
                      result.runs() == 0
                          ? ""
                          : "(%d of %d)"
                              .formatted(result.skipped(), result.skipped() + result.runs()),
                      result.reason());
                }
                if (result.overridden()) {
                  out.printf("  overridden %s %s%n", id, result.sentence());
                }
              });
    }

    private static long count(ConformanceRecord record, Outcome outcome) {
      return record.rules().values().stream().filter(result -> result.outcome() == outcome).count();
    }
  }
}
