package io.github.ema4j;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Objects.requireNonNull;

import com.google.common.collect.ImmutableMap;
import com.typesafe.config.Config;
import java.nio.file.Path;
import java.util.Map;

/**
 * Everything about an {@link EmaBank} that can be said without code. Immutable.
 *
 * @param common what the averages have in common; its schedule is not used
 * @param schedules the schedule of each average by its name. What is returned cannot be modified
 */
public record EmaBankConfig(EmaConfig common, Map<String, DecaySchedule> schedules) {

  /**
   * Copies and checks the parts.
   *
   * @throws IllegalArgumentException if there are no schedules or a name is empty
   */
  public EmaBankConfig {
    requireNonNull(common, "common");
    schedules = ImmutableMap.copyOf(schedules);
    checkArgument(
        !schedules.isEmpty(),
        "a bank needs averages; name each with its schedule, under ema.bank in a configuration");
    checkArgument(!schedules.containsKey(""), "an average must have a name, but it was empty");
  }

  /**
   * Reads {@code ema.average} and {@code ema.bank} from where {@link EmaConfig#load()} reads.
   *
   * @throws IllegalArgumentException if there are no averages under {@code ema.bank}, or as {@link
   *     EmaConfig#load()}
   */
  public static EmaBankConfig load() {
    return of(EmaSections.load());
  }

  /**
   * Reads {@code ema.average} and {@code ema.bank} from a file, system properties above it.
   *
   * @throws IllegalArgumentException if the file is missing or malformed, or as {@link #load()}
   */
  public static EmaBankConfig load(Path file) {
    return of(EmaSections.load(file));
  }

  /**
   * Reads what a configuration says under {@code ema.average} and {@code ema.bank}.
   *
   * @throws IllegalArgumentException as {@link #load()}
   */
  public static EmaBankConfig from(Config config) {
    return of(EmaSections.read(() -> config));
  }

  /**
   * Reads the form that {@link #toString} writes, as {@link EmaConfig#parse} does.
   *
   * @throws IllegalArgumentException if the text is malformed, or as {@link #load()}
   */
  public static EmaBankConfig parse(String text) {
    return of(EmaSections.parse(text));
  }

  private static EmaBankConfig of(EmaSections sections) {
    return new EmaBankConfig(sections.average(), sections.bank());
  }

  /** Returns all of this as HOCON in one line, as {@link EmaConfig#toString} does. */
  @Override
  public String toString() {
    return EmaConfigWriter.text(this);
  }
}
