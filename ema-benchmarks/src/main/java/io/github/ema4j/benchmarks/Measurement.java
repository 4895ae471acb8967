package io.github.ema4j.benchmarks;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Joiner;
import com.google.common.base.Splitter;
import com.google.common.primitives.ImmutableDoubleArray;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVPrinter;
import org.apache.commons.csv.CSVRecord;

/**
 * What one contender took, round by round.
 *
 * @param process the process in which it ran: numbers of different ones are not compared
 * @param group the contenders that took turns with it
 * @param contender its name
 * @param threads how many threads it took
 * @param parameters how many parameters one call goes through
 * @param bytes how much memory one call must at least read and write
 * @param millis how long one call took, in each round
 */
record Measurement(
    String process,
    String group,
    String contender,
    int threads,
    long parameters,
    long bytes,
    ImmutableDoubleArray millis) {
  private static final CSVFormat SAMPLES = format("milliseconds");
  private static final CSVFormat SUMMARY =
      format("rounds", "medianMillis", "lowerQuartileMillis", "upperQuartileMillis");

  private static CSVFormat format(String... last) {
    List<String> columns =
        new ArrayList<>(List.of("process", "group", "contender", "threads", "parameters", "bytes"));
    columns.addAll(Arrays.asList(last));
    return CSVFormat.DEFAULT
        .builder()
        .setHeader(columns.toArray(String[]::new))
        .setRecordSeparator('\n')
        .get();
  }

  /** Returns median and quartiles of the time of one call. */
  Spread spread() {
    return Spread.of(millis);
  }

  /** Returns median and quartiles of the bytes moved in a second, in units of 10^9. */
  Spread gigabytesPerSecond() {
    return Spread.of(millis.stream().map(each -> bytes / each / 1e6));
  }

  /** Returns how many times the other's time this one took, round by round. */
  Spread times(Measurement other) {
    checkArgument(
        process.equals(other.process) && millis.length() == other.millis.length(),
        "%s and %s were not measured in turns",
        this,
        other);
    double[] ratios = new double[millis.length()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = millis.get(i) / other.millis.get(i);
    }
    return Spread.of(ImmutableDoubleArray.copyOf(ratios));
  }

  /** Returns which part of the time of both this one took, round by round. */
  Spread shareBeside(Measurement other) {
    double[] shares = new double[millis.length()];
    for (int i = 0; i < shares.length; i++) {
      shares[i] = millis.get(i) / (millis.get(i) + other.millis.get(i));
    }
    return Spread.of(ImmutableDoubleArray.copyOf(shares));
  }

  /** Returns a contender of some that took turns. */
  static Optional<Measurement> find(List<Measurement> turns, String contender, int threads) {
    return turns.stream()
        .filter(each -> each.contender.equals(contender) && each.threads == threads)
        .findFirst();
  }

  /** Writes a file with all samples. */
  static void write(Path file, List<Measurement> measurements) throws IOException {
    try (CSVPrinter printer = new CSVPrinter(Files.newBufferedWriter(file), SAMPLES)) {
      for (Measurement each : measurements) {
        printer.printRecord(
            each.process,
            each.group,
            each.contender,
            each.threads,
            each.parameters,
            each.bytes,
            Joiner.on(' ').join(each.millis.stream().mapToObj(Measurement::decimal).toList()));
      }
    }
  }

  /** Writes a file with median and quartiles in place of the samples. */
  static void writeSummary(Path file, Collection<Measurement> measurements) throws IOException {
    try (CSVPrinter printer = new CSVPrinter(Files.newBufferedWriter(file), SUMMARY)) {
      for (Measurement each : measurements) {
        Spread spread = each.spread();
        printer.printRecord(
            each.process,
            each.group,
            each.contender,
            each.threads,
            each.parameters,
            each.bytes,
            each.millis.length(),
            decimal(spread.median()),
            decimal(spread.lower()),
            decimal(spread.upper()));
      }
    }
  }

  private static String decimal(double millis) {
    return String.format(Locale.ROOT, "%.5f", millis);
  }

  /** Reads what {@link #write} wrote. */
  static List<Measurement> read(Path file) {
    CSVFormat format = SAMPLES.builder().setSkipHeaderRecord(true).get();
    try (CSVParser parser = format.parse(Files.newBufferedReader(file))) {
      return parser.stream().map(Measurement::of).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Measurement of(CSVRecord line) {
    return new Measurement(
        line.get("process"),
        line.get("group"),
        line.get("contender"),
        Integer.parseInt(line.get("threads")),
        Long.parseLong(line.get("parameters")),
        Long.parseLong(line.get("bytes")),
        ImmutableDoubleArray.copyOf(
            Splitter.on(' ')
                .splitToStream(line.get("milliseconds"))
                .mapToDouble(Double::parseDouble)));
  }
}
