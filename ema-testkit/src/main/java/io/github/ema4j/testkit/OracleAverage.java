package io.github.ema4j.testkit;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.ElementType;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.Treatment;
import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The average of a model as it should be: what {@link Oracle} says for every element. */
final class OracleAverage {
  private final Function<Entry<ArrayTensor>, Treatment> treatments;
  private final AveragingRule rule;
  private final List<Values> entries = new ArrayList<>();

  /** The values of one entry, in row-major order. */
  static final class Values {
    private final String name;
    private final ElementType type;
    private final long[] bits;

    Values(String name, ElementType type, long[] bits) {
      this.name = name;
      this.type = type;
      this.bits = bits;
    }

    String name() {
      return name;
    }

    ElementType type() {
      return type;
    }

    /** Returns the bits themselves, not a copy. */
    long[] bits() {
      return bits;
    }
  }

  /**
   * Starts from a model.
   *
   * @param types the type in which an entry is kept
   */
  OracleAverage(
      StateDict<ArrayTensor> start,
      AveragingRule rule,
      Function<ElementType, ElementType> types,
      Function<Entry<ArrayTensor>, Treatment> treatments) {
    this.rule = rule;
    this.treatments = treatments;
    for (Entry<ArrayTensor> entry : start.entries()) {
      ElementType type = entry.spec().type();
      ElementType kept = type.isFloating() ? types.apply(type) : type;
      entries.add(new Values(entry.name(), kept, converted(entry, kept)));
    }
  }

  /** Starts the average of the default configuration with a rule. */
  OracleAverage(StateDict<ArrayTensor> start, AveragingRule rule) {
    this(
        start,
        rule,
        type -> type.isHalf() ? ElementType.F32 : type,
        entry -> entry.spec().type().isFloating() ? Treatment.AVERAGE : Treatment.COPY);
  }

  /** Updates every entry. */
  void update(StateDict<ArrayTensor> model, double decay) {
    Oracle oracle = new Oracle(rule, decay);
    for (int k = 0; k < entries.size(); k++) {
      Entry<ArrayTensor> entry = model.entries().get(k);
      Values average = entries.get(k);
      if (treatments.apply(entry) == Treatment.COPY) {
        System.arraycopy(converted(entry, average.type), 0, average.bits, 0, average.bits.length);
        continue;
      }
      long[] bits = bits(entry);
      for (int i = 0; i < bits.length; i++) {
        average.bits[i] =
            oracle.update(average.type, average.bits[i], entry.spec().type(), bits[i]);
      }
    }
  }

  /** Returns the entries, in the order of the model's. */
  List<Values> entries() {
    return entries;
  }

  static long[] bits(Entry<ArrayTensor> entry) {
    return HostTensors.bits(ArrayBackend.instance(), entry.tensor());
  }

  private static long[] converted(Entry<ArrayTensor> entry, ElementType type) {
    long[] bits = bits(entry);
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Oracle.converted(entry.spec().type(), bits[i], type);
    }
    return bits;
  }
}
