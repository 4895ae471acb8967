package io.github.ema4j.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Writes the script by which a shell completes the command. */
@Command(
    name = "completion",
    description = "Prints a script by which bash and zsh complete ema's options.",
    mixinStandardHelpOptions = true,
    footer = {"", "  source <(ema completion)"})
final class CompletionCommand implements Callable<Integer> {
  @SuppressWarnings("NullAway.Init") // picocli sets it
  @Spec
  private CommandSpec spec;

  @Override
  public Integer call() {
    spec.commandLine().getOut().print(AutoComplete.bash("ema", spec.root().commandLine()));
    spec.commandLine().getOut().flush();
    return 0;
  }
}
