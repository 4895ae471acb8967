package io.github.ema4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import picocli.CommandLine;

/**
 * What the command has said.
 *
 * @param exit its exit code
 * @param out what is on standard output
 * @param err what is on standard error
 */
record Ema(int exit, String out, String err) {

  /** Runs the command in this JVM. */
  static Ema run(Object... arguments) {
    String[] args = new String[arguments.length];
    for (int i = 0; i < args.length; i++) {
      args[i] = arguments[i].toString();
    }
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine command =
        EmaCommand.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int exit = command.execute(args);
    return new Ema(exit, out.toString(), err.toString());
  }

  /** Runs the command, which must do what it is asked for without a word on standard error. */
  static Ema done(Object... arguments) {
    Ema result = run(arguments);
    assertThat(result.err).isEmpty();
    assertThat(result.exit).isZero();
    return result;
  }

  /** Reads the output as JSON. */
  Config json() {
    return ConfigFactory.parseString(
        out, ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON));
  }

  /** Returns where a file of core's tests is. */
  static Path golden(String name) {
    try {
      return Path.of(Ema.class.getResource("/io/github/ema4j/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
