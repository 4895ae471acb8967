package io.github.ema4j.testkit;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.Lists;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.spi.TensorBackend;
import io.github.ema4j.testkit.toy.PlainToy;
import io.github.ema4j.testkit.toy.ToyAdapter;
import io.github.ema4j.testkit.toy.ToyBackend;
import io.github.ema4j.testkit.toy.ToyModel;
import io.github.ema4j.testkit.toy.ToySubject;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** State dicts and adapters that are broken: what they list, and how they copy. */
final class ModelMutants {

  private ModelMutants() {}

  static List<Mutant> all() {
    return List.of(
        new Mutant(
            "author who forgets a mandatory capability",
            "S01",
            new ToySubject(new ToyAdapter(new ToyBackend())) {
              @Override
              public Set<Capability> capabilities() {
                return EnumSet.complementOf(EnumSet.of(Capability.ZERO_COPY));
              }
            }),
        listing(
            "in the order of a hash map",
            "C01 C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C13 C15 C16 F01 F02 F03 G01 L01 "
                + "L02 L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 P01 P02 P03 P04 P05 "
                + "P06 P07 P08 P09 P10 P11 P12 S02 S03 S04 S05 S07 S14 S15 S16 S17 S23 T01 T03 U01 "
                + "U02 U04 U05 U06 U07 U08 U09 U10 U14 U15 U16 U19 U20 U21 U22 U23 U24 U25",
            ModelMutants::byHash),
        listing(
            "without the last entry",
            "C01 C02 C03 C04 C05 C06 C07 C09 C10 C11 C12 C15 C16 F01 F02 F03 G01 L01 L02 L03 "
                + "L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 P01 P02 P03 P04 P05 P06 P07 "
                + "P08 P09 P10 P11 S02 S03 S04 S05 S07 S14 S15 S16 S23 T01 T03 U01 U02 U04 U05 U06 "
                + "U07 U08 U09 U14 U15 U19 U20 U21 U22 U23 U24 U25",
            entries -> entries.size() < 4 ? entries : entries.subList(0, entries.size() - 1)),
        listing(
            "without buffers",
            "C01 C03 C04 C05 C06 C07 C09 C10 C11 C12 C14 C15 C16 F01 F02 F03 G01 L01 L02 L03 "
                + "L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 P01 P02 P03 P04 P05 P06 P07 "
                + "P08 P09 P10 P11 S02 S03 S04 S05 S06 S07 S14 S15 S16 S17 S23 T01 U11 U12 U14 U15 "
                + "U20 U21 U22 U23",
            entries -> entries.stream().filter(entry -> entry.role() == Role.PARAMETER).toList()),
        listing("with every role a parameter", "F03 G01 P02 P04 S04", ModelMutants::parametersOnly),
        listing("without wrapper prefixes", "G01 P09", ModelMutants::unwrapped),
        listing(
            "of tensors copied",
            "C01 C04 C05 C06 C08 C09 C10 C11 C12 C13 C15 C16 F01 F02 F03 G01 L01 L02 L03 L04 "
                + "L06 L07 L08 L12 L13 L15 P01 P02 P03 P04 P06 P07 P08 P09 P10 P12 S05 S07 S11 S15 "
                + "S16 S23 T01 T02 T03 U01 U02 U03 U10 U11 U12 U13 U14 U15 U16 U17 U18 U19 U20 U21 "
                + "U22 U23 U26",
            ModelMutants::copied),
        viewing(
            "that always says that it moved",
            "S14",
            (view, backend) ->
                new ForwardingView(view) {
                  @Override
                  public boolean refresh() {
                    super.refresh();
                    return true;
                  }
                }),
        viewing(
            "that never looks again",
            "S15 U23",
            (view, backend) ->
                new ForwardingView(view) {
                  @Override
                  public boolean refresh() {
                    return false;
                  }
                }),
        viewing(
            "that frees the model's tensors when it is closed",
            "C01 C03 C04 C05 C06 C07 C09 C10 C11 C12 C15 C16 F01 F02 F03 L01 L02 L03 L04 L05 "
                + "L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 P01 P02 P03 P04 P05 P06 P07 P08 P09 "
                + "P10 P11 S02 S04 S05 S10 S14 S15 S16 S23 T01 U14 U15 U20 U21 U22 U23",
            (view, backend) ->
                new ForwardingView(view) {
                  @Override
                  public void close() {
                    if (entries().size() == 6) {
                      new ToyBackend().release(List.of(entries().get(0).tensor()));
                    }
                  }
                }),
        adapter(
            "whose copy shares tensors",
            "L07 L15 S23",
            new ToyAdapter(new ToyBackend()) {
              @Override
              public ToyModel copy(ToyModel model) {
                ToyModel copy = super.copy(model);
                String first = model.tensors().keySet().iterator().next();
                copy.tensors().replace(first, model.tensors().get(first));
                return copy;
              }
            }),
        adapter(
            "whose copy has no values",
            "L15 S23",
            new ToyAdapter(new ToyBackend()) {
              @Override
              public ToyModel copy(ToyModel model) {
                ToyModel copy = super.copy(model);
                copy.tensors()
                    .replaceAll(
                        (name, tensor) ->
                            backend().allocate(List.of(backend().describe(tensor))).get(0));
                return copy;
              }
            }),
        adapter(
            "whose evaluation mode folds weights",
            "L15 S23",
            new ToyAdapter(new ToyBackend()) {
              @Override
              public void evaluationMode(ToyModel copy) {
                ToyTensor first = copy.tensors().values().iterator().next();
                ((float[]) first.array().array())[0] = 0;
              }
            }),
        adapter(
            "that does not free copies",
            "L15",
            new ToyAdapter(new ToyBackend()) {
              @Override
              public void releaseCopy(ToyModel copy) {
                // forgotten
              }
            }),
        new Mutant(
            "plain adapter that refuses to copy without a way out",
            "S24",
            new PlainToy.Subject(
                new PlainToy.Adapter(new PlainToy.Backend()) {
                  @Override
                  public ToyModel copy(ToyModel model) {
                    throw new UnsupportedOperationException("no");
                  }
                })));
  }

  /** Something in the way of a view. */
  private interface View {
    StateDict<ToyTensor> of(StateDict<ToyTensor> view, TensorBackend<ToyTensor> backend);
  }

  private static Mutant viewing(String name, String foundBy, View broken) {
    return new Mutant(
        "state dict " + name,
        foundBy,
        new ToySubject(
            new ToyAdapter(new ToyBackend()) {
              @Override
              public StateDict<ToyTensor> stateDict(ToyModel model) {
                return broken.of(super.stateDict(model), backend());
              }
            }));
  }

  private static Mutant listing(
      String name, String foundBy, UnaryOperator<List<Entry<ToyTensor>>> listing) {
    return viewing(
        name,
        foundBy,
        (view, backend) ->
            new ForwardingView(view) {
              private List<Entry<ToyTensor>> listed = listing.apply(view.entries());

              @Override
              public List<Entry<ToyTensor>> entries() {
                return listed;
              }

              @Override
              public boolean refresh() {
                boolean moved = view.refresh();
                if (moved) {
                  listed = listing.apply(view.entries());
                }
                return moved;
              }
            });
  }

  private static Mutant adapter(String name, String foundBy, ToyAdapter adapter) {
    return new Mutant("adapter " + name, foundBy, new ToySubject(adapter));
  }

  private static List<Entry<ToyTensor>> byHash(List<Entry<ToyTensor>> entries) {
    Map<String, Entry<ToyTensor>> byName = new HashMap<>();
    entries.forEach(entry -> byName.put(entry.name(), entry));
    List<Entry<ToyTensor>> hashed = List.copyOf(byName.values());
    return hashed.equals(entries) ? Lists.reverse(entries) : hashed;
  }

  private static List<Entry<ToyTensor>> parametersOnly(List<Entry<ToyTensor>> entries) {
    return entries.stream()
        .map(entry -> new Entry<>(entry.name(), entry.tensor(), entry.spec(), Role.PARAMETER))
        .toList();
  }

  private static List<Entry<ToyTensor>> unwrapped(List<Entry<ToyTensor>> entries) {
    return entries.stream()
        .map(
            entry ->
                new Entry<>(
                    entry.name().replaceFirst("^module\\.", ""),
                    entry.tensor(),
                    entry.spec(),
                    entry.role()))
        .toList();
  }

  private static List<Entry<ToyTensor>> copied(List<Entry<ToyTensor>> entries) {
    ToyAdapter copier = new ToyAdapter(new ToyBackend());
    ImmutableList.Builder<Entry<ToyTensor>> copies = ImmutableList.builder();
    for (Entry<ToyTensor> entry : entries) {
      boolean last = entry.equals(entries.get(entries.size() - 1));
      ToyTensor tensor = last ? copier.copied(entry.tensor()) : entry.tensor();
      copies.add(new Entry<>(entry.name(), tensor, entry.spec(), entry.role()));
    }
    return copies.build();
  }

  /** A view that does what another does, until something is overridden. */
  private static class ForwardingView implements StateDict<ToyTensor> {
    private final StateDict<ToyTensor> real;

    ForwardingView(StateDict<ToyTensor> real) {
      this.real = real;
    }

    @Override
    public TensorBackend<ToyTensor> backend() {
      return real.backend();
    }

    @Override
    public List<Entry<ToyTensor>> entries() {
      return real.entries();
    }

    @Override
    public boolean refresh() {
      return real.refresh();
    }

    @Override
    public void close() {
      real.close();
    }
  }
}
