package io.github.ema4j.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code ema} command. */
@Command(
    name = "ema",
    description = "Works on averages of model weights, and on the checkpoints that they lie in.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:It is done.",
      "1:It was refused or failed; standard error says why.",
      "2:The command line is wrong.",
      "3:'ema diff' has found a difference."
    },
    footer = {
      "",
      "'ema COMMAND --help' tells more. Checkpoints are safetensors files, one or in shards"
          + " (*.safetensors.index.json), and PyTorch's .pth, .pt and .pth.tar."
    },
    subcommands = {
      InspectCommand.class,
      DiffCommand.class,
      AverageCommand.class,
      PostHocCommand.class,
      ConvertCommand.class,
      ScheduleCommand.class,
      CompletionCommand.class
    })
public final class EmaCommand implements Callable<Integer> {
  /** A file could not be read, or was refused. */
  static final int FAILED = 1;

  /** Two files differ. */
  static final int DIFFERENT = 3;

  @SuppressWarnings("NullAway.Init") // picocli sets it
  @Spec
  private CommandSpec spec;

  private EmaCommand() {}

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  /** Returns the command, to be executed with arguments; its output and errors can be set. */
  public static CommandLine commandLine() {
    return new CommandLine(new EmaCommand())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(Failures::wrongUse)
        .setExecutionExceptionHandler(Failures::failed);
  }

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "name a command");
  }
}
