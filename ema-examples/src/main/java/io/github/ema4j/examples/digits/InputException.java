package io.github.ema4j.examples.digits;

import static java.util.Objects.requireNonNull;

/** Something that the demo was given is wrong. The message tells its user all that helps. */
final class InputException extends RuntimeException {
  private static final long serialVersionUID = 1;

  InputException(String message) {
    super(message);
  }

  InputException(String message, Throwable cause) {
    super(message, cause);
  }

  @Override
  public String getMessage() {
    return requireNonNull(super.getMessage());
  }
}
