package io.github.ema4j.cli;

import io.github.ema4j.checkpoint.CheckpointException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Tells what went wrong in one message, on standard error. */
final class Failures {

  private Failures() {}

  /** Tells what is wrong with the command line. */
  static int wrongUse(ParameterException failure, String[] args) {
    CommandLine command = failure.getCommandLine();
    PrintWriter err = command.getErr();
    err.println("ema: " + failure.getMessage());
    if (!UnmatchedArgumentException.printSuggestions(failure, err)) {
      err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    }
    err.flush();
    return CommandLine.ExitCode.USAGE;
  }

  /**
   * Tells why a command failed.
   *
   * @throws Exception the failure itself, if it is not one of a file or of what was asked for
   */
  static int failed(Exception failure, CommandLine command, ParseResult parsed) throws Exception {
    if (failure instanceof IOException
        || failure instanceof UncheckedIOException
        || failure instanceof CheckpointException
        || failure instanceof IllegalArgumentException
        || failure instanceof IllegalStateException) {
      command.getErr().println("ema: " + message(failure));
      command.getErr().flush();
      return EmaCommand.FAILED;
    }
    throw failure;
  }

  private static String message(Throwable failure) {
    if (failure instanceof UncheckedIOException unchecked && unchecked.getCause() != null) {
      return message(unchecked.getCause());
    }
    String message = String.valueOf(failure.getMessage());
    if (failure instanceof NoSuchFileException missing && missing.getReason() == null) {
      return message + ": there is no such file";
    } else if (failure instanceof AccessDeniedException) {
      return message + ": it may not be read or written";
    } else if (failure instanceof NotDirectoryException) {
      return message + ": it is no folder";
    } else if (failure instanceof FileAlreadyExistsException) {
      return message + ": it is there already";
    }
    return message;
  }
}
