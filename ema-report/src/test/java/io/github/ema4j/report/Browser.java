package io.github.ema4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A headless Chromium, where the machine has one. */
record Browser(Path program) {
  private static final List<String> NAMES =
      List.of("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome");

  static Optional<Browser> find() {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1))
        .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst()
        .map(Browser::new);
  }

  /** Returns a page as it is when its scripts have run. */
  String open(Path page, int width, boolean dark) throws IOException, InterruptedException {
    return run(page, width, 900, dark, "--dump-dom");
  }

  /** Takes a picture of a page. */
  void picture(Path page, Path png, int width, int height, boolean dark)
      throws IOException, InterruptedException {
    run(page, width, height, dark, "--screenshot=" + png);
  }

  private String run(Path page, int width, int height, boolean dark, String action)
      throws IOException, InterruptedException {
    Path profile = Files.createTempDirectory("browser");
    Path out = profile.resolve("out");
    List<String> command = new ArrayList<>(List.of(program.toString(), "--headless"));
    command.add("--no-sandbox"); // or it would not run as root; the page is our own
    command.add("--disable-gpu");
    command.add("--hide-scrollbars");
    command.add("--user-data-dir=" + profile);
    command.add("--window-size=" + width + "," + height);
    command.add("--blink-settings=preferredColorScheme=" + (dark ? 0 : 1));
    command.add(action);
    command.add(page.toUri().toString());
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("the browser ends").isTrue();
      return Files.readString(out, StandardCharsets.UTF_8);
    } finally {
      process.destroyForcibly().waitFor();
      MoreFiles.deleteRecursively(profile, RecursiveDeleteOption.ALLOW_INSECURE);
    }
  }
}
