package io.github.ema4j.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.ema4j.Clock;
import io.github.ema4j.EmaConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows a decay schedule. */
@Command(
    name = "schedule",
    description = {
      "Shows what a configuration's decay schedule does: the decay over time, its window 1/(1-d),"
          + " how long ago the models are that make up half and nine tenths of the average ('start' if"
          + " that is in it), and how much of it the start still is."
    },
    mixinStandardHelpOptions = true,
    sortOptions = false,
    footer = {"", "  ema schedule application.conf --until 50000"})
@SuppressWarnings("NullAway.Init") // picocli sets what is required
final class ScheduleCommand implements Callable<Integer> {
  private static final int COLUMNS = 60;

  @Parameters(
      paramLabel = "CONFIG",
      description = "A HOCON, JSON or properties file with ema.average in it.")
  private Path config;

  @Option(
      names = "--profile",
      paramLabel = "NAME",
      description = "Show a profile in place of ema.average: one of the file's, or a built-in one.")
  private @Nullable String profile;

  @Option(
      names = "--until",
      paramLabel = "T",
      defaultValue = "100000",
      description = "Until when, in the clock's unit; ${DEFAULT-VALUE} if nothing is said.")
  private long until;

  @Option(names = "--json", description = "Tell it as JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    EmaConfig read = profile == null ? EmaConfig.load(config) : EmaConfig.load(config, profile);
    PastWeights past = PastWeights.of(read, until);
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      Json.write(out, object -> write(read, past, object));
    } else {
      print(read, past, out);
      out.flush();
    }
    return 0;
  }

  /** Returns 1, 2, 5, 10 and so on updates, and the last. */
  private static int[] marks(PastWeights past) {
    int last = past.updates();
    return IntStream.concat(
            IntStream.iterate(1, power -> power <= last / 10, power -> power * 10)
                .flatMap(power -> IntStream.of(power, 2 * power, 5 * power)),
            IntStream.of(last))
        .filter(mark -> mark <= last)
        .distinct()
        .toArray();
  }

  private void print(EmaConfig read, PastWeights past, PrintWriter out) {
    out.println(read.strategy().schedule());
    out.println();
    String unit = read.timing().clock().name().toLowerCase(Locale.ROOT);
    Table table = new Table(">" + unit, ">decay", ">window", ">half", ">nine tenths", ">start");
    for (int updates : marks(past)) {
      double decay = past.decay(updates);
      table.add(
          whole(updates * past.every()),
          String.format(Locale.ROOT, "%.7f", decay),
          decay == 1 ? "for ever" : whole(Math.round(past.every() / (1 - decay))),
          age(past.age(updates, 0.5)),
          age(past.age(updates, 0.9)),
          String.format(Locale.ROOT, "%.4f", past.start(updates)));
    }
    table.print(out, "");
    out.println();
    double[] windows = windows(past);
    double widest = Arrays.stream(windows).max().orElseThrow();
    double rise = Math.log(widest / past.every());
    Plot.print(
        out,
        "Window 1/(1-d), both axes logarithmic",
        Arrays.stream(windows)
            .map(window -> rise == 0 ? 0 : Math.log(window / past.every()) / rise)
            .toArray(),
        whole(Math.round(widest)),
        whole(past.every()),
        whole(past.every()) + " " + unit,
        whole(past.updates() * past.every()));
    out.println();
    double[] shares = past.evenShares(COLUMNS);
    double largest = Arrays.stream(shares).max().orElse(1);
    Plot.print(
        out,
        "Weight of the past after " + whole(past.updates() * past.every()) + " " + unit,
        Arrays.stream(shares).map(share -> largest == 0 ? 0 : share / largest).toArray(),
        String.format(Locale.ROOT, "%.1f %%", 100 * largest),
        "0",
        "0 " + unit,
        whole(past.updates() * past.every()));
  }

  /**
   * Returns the window at each column of the plot, of a decay of 1 as if it were the next to it.
   */
  private static double[] windows(PastWeights past) {
    double last = Math.log(past.updates());
    return IntStream.range(0, COLUMNS)
        .map(column -> (int) Math.round(Math.exp(last * column / (COLUMNS - 1))))
        .mapToDouble(updates -> past.every() / Math.max(1 - past.decay(updates), Math.ulp(1.0)))
        .toArray();
  }

  private static String whole(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  private static String age(OptionalLong age) {
    return age.isPresent() ? whole(age.getAsLong()) : "start";
  }

  private static void writeAge(String field, OptionalLong age, JsonGenerator json)
      throws IOException {
    if (age.isPresent()) {
      json.writeNumberField(field, age.getAsLong());
    }
  }

  private void write(EmaConfig read, PastWeights past, JsonGenerator json) throws IOException {
    json.writeStringField("schedule", read.strategy().schedule().toString());
    json.writeStringField("clock", read.timing().clock() == Clock.STEPS ? "steps" : "samples");
    json.writeNumberField("every", past.every());
    json.writeArrayFieldStart("updates");
    for (int updates : marks(past)) {
      json.writeStartObject();
      json.writeNumberField("time", updates * past.every());
      json.writeNumberField("decay", past.decay(updates));
      writeAge("half", past.age(updates, 0.5), json);
      writeAge("nineTenths", past.age(updates, 0.9), json);
      json.writeNumberField("start", past.start(updates));
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeFieldName("weightOfThePast");
    double[] shares = past.shares(COLUMNS);
    json.writeArray(shares, 0, shares.length);
  }
}
