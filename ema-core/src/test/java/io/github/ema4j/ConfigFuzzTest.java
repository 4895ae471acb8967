package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.DictionaryEntries;
import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.function.Function;

/**
 * Whatever the text of a configuration says, such as that of a checkpoint, it is refused by an
 * {@link IllegalArgumentException}, or read, and reads back from its own text.
 *
 * <p>An ordinary build runs the inputs in {@code ConfigFuzzTestInputs}. To look for more, run one
 * method with the environment variable {@code JAZZER_FUZZ=1}.
 */
class ConfigFuzzTest {

  @FuzzTest(maxDuration = "10m")
  @DictionaryEntries({
    "ema.average",
    "ema.bank.",
    "ema.profiles.",
    "extends",
    "schedule",
    "type = ",
    "piecewise",
    "decayFromStep",
    "decay = ",
    "of = {",
    "policy",
    "patterns",
    "timm-v1",
    "include ",
    "file(\"",
    "${",
    "+="
  })
  void text(byte[] utf8) {
    String text = new String(utf8, StandardCharsets.UTF_8);
    read(EmaConfig::parse, text);
    read(EmaBankConfig::parse, text);
  }

  private static <C> void read(Function<String, C> parser, String text) {
    Optional<C> config = accepted(parser, text);
    config.ifPresent(read -> assertThat(parser.apply(read.toString())).isEqualTo(read));
  }

  private static <C> Optional<C> accepted(Function<String, C> parser, String text) {
    try {
      return Optional.of(parser.apply(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty(); // as it should be
    }
  }
}
