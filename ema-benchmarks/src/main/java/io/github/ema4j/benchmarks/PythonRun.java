package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkState;

import com.google.common.base.Joiner;
import com.google.common.io.Resources;
import io.github.ema4j.ElementType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The process that measures timm and PyTorch, from the packages of a Python that has them. */
final class PythonRun implements MeasuringProcess {
  /** The environment variable that names the Python; {@code python3} without it. */
  static final String PYTHON = "EMA4J_PYTHON";

  private static final int PACKAGE_IS_MISSING = 3;

  @Override
  public List<Measurement> run(Scope scope) throws IOException, InterruptedException {
    System.out.println("Python");
    Path folder = Files.createTempDirectory("peers");
    Path script = folder.resolve("peers.py");
    Files.write(script, Resources.toByteArray(Resources.getResource("peers.py")));
    Path shapes = Files.write(folder.resolve("shapes.txt"), shapes(scope));
    Path file = folder.resolve("measurements.csv");
    String python = System.getenv().getOrDefault(PYTHON, "python3");
    try {
      int status =
          status(
              List.of(
                  python,
                  script.toString(),
                  shapes.toString(),
                  Integer.toString(scope.rounds()),
                  file.toString()));
      checkState(
          status == 0 || status == PACKAGE_IS_MISSING, "measuring %s failed, see above", python);
      return status == 0 ? Measurement.read(file) : List.of();
    } finally {
      for (Path each : List.of(script, shapes, file, folder)) {
        Files.deleteIfExists(each);
      }
    }
  }

  private static int status(List<String> command) throws InterruptedException {
    try {
      return ChildProcess.run(command);
    } catch (IOException e) {
      System.out.println(e.getMessage());
      return PACKAGE_IS_MISSING;
    }
  }

  private static List<String> shapes(Scope scope) {
    List<String> lines = new ArrayList<>();
    for (ModelShape shape : scope.shapes()) {
      List<String> parts = new ArrayList<>();
      parts.add(Names.updates(shape, ElementType.F32));
      shape.tensors().forEach(tensor -> parts.add(Joiner.on('x').join(tensor.asList())));
      lines.add(Joiner.on(';').join(parts));
    }
    return lines;
  }
}
