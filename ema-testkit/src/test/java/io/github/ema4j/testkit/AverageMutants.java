package io.github.ema4j.testkit;

import io.github.ema4j.AveragingRule;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.Device;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.EmaStrategy.Pairing;
import io.github.ema4j.EntryPolicy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.NonFiniteGuard;
import io.github.ema4j.Progress;
import io.github.ema4j.Role;
import io.github.ema4j.ShadowType;
import io.github.ema4j.StateDict;
import io.github.ema4j.Swap;
import io.github.ema4j.Timing;
import io.github.ema4j.Treatment;
import io.github.ema4j.UpdateRule;
import io.github.ema4j.testkit.toy.ForwardingEma;
import io.github.ema4j.testkit.toy.ToyAdapter;
import io.github.ema4j.testkit.toy.ToyBackend;
import io.github.ema4j.testkit.toy.ToyModel;
import io.github.ema4j.testkit.toy.ToySubject;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.util.List;
import java.util.function.UnaryOperator;

/** Averages that are broken: started otherwise than asked for, or wrong in one of their methods. */
final class AverageMutants {

  private AverageMutants() {}

  static List<Mutant> all() {
    return List.of(
        started(
            "by the rule weighted-sum",
            "C02 C06 C08 C15 F01 F02 G01 L13 L14 P01 P02 P03 P07 P08 P09 P10 T01 T03 U01 U03 "
                + "U04 U05 U06 U07 U08 U09 U10 U13 U16 U18 U19 U23 U26",
            config -> config.withRule(AveragingRule.WEIGHTED_SUM)),
        started(
            "by the rule lerp",
            "F03 G01 U02 U03 U04 U05 U06 U07 U08 U09 U10",
            config -> config.withRule(AveragingRule.LERP)),
        started("paired by position", "C15 F02 P08 P09", config -> paired(config, Pairing.ORDERED)),
        started("paired by name", "F02 P10", config -> paired(config, Pairing.NAME_MATCHED)),
        started(
            "in float32",
            "C15 G01 U03 U06 U07 U08",
            config -> config.withShadowType(ShadowType.F32)),
        started(
            "in the model's type",
            "C15 U04 U05 U08",
            config -> config.withShadowType(ShadowType.MODEL)),
        started("with the guard off", "P06 P07", config -> config.withGuard(NonFiniteGuard.ACCEPT)),
        started(
            "with the guard on",
            "C01 C07 C12 C14 C15 L01 L02 L05 L12 P07 U01 U02 U03 U04 U05 U06 U07 U08 U15 U21 "
                + "U22",
            config -> config.withGuard(NonFiniteGuard.FAIL)),
        started("updated at every step", "C03 L13", config -> config.withTiming(Timing.EVERY_STEP)),
        started(
            "updated at every second step",
            "C02 C03 C06 C08 C12 C15 F01 F02 F03 G01 L08 L13 L14 P01 P02 P03 P06 P07 P08 P09 "
                + "P10 P11 T01 T02 T03 U01 U02 U03 U04 U05 U06 U07 U08 U09 U10 U12 U13 U14 U16 U18 "
                + "U20 U21 U23 U24 U25 U26",
            config -> config.withTiming(Timing.EVERY_STEP.withEvery(2))),
        started(
            "with the default policy",
            "F03 G01 P02 P03 P04 P05 P12 U12",
            config -> config.withPolicy(EntryPolicy.defaults())),
        started(
            "with statistics copied",
            "C06 C15 F01 F02 G01 L13 L14 P01 P03 P04 P07 P08 P09 P10 T01 U14 U20 U23",
            config -> treated(config, Role.STATISTIC, Treatment.COPY)),
        started(
            "with integers averaged",
            "C06 C15 C16 F01 F02 F03 G01 L13 L14 P01 P02 P03 P07 P08 P09 P10 T01 U11 U14 U20 "
                + "U23",
            config -> treated(config, Role.COUNTER, Treatment.AVERAGE)),
        started(
            "with integers copied",
            "G01 U12",
            config -> treated(config, Role.COUNTER, Treatment.COPY)),
        started(
            "with nothing skipped",
            "P04",
            config ->
                config.policy().treatment(Role.STATISTIC) == Treatment.SKIP
                    ? treated(config, Role.STATISTIC, Treatment.COPY)
                    : config),
        started(
            "with decays one step late",
            "C05 C06 C15 C16 F01 G01 L13 P07 U17 U18",
            AverageMutants::late),
        started(
            "with decays that are never 0 or 1",
            "C05 C06 C15 C16 F01 G01 U14 U18",
            AverageMutants::clamped),
        wrong(
            "that updates twice",
            "C02 C03 C06 C08 C12 F01 F02 F03 G01 L08 L13 L14 P01 P02 P03 P07 P08 P09 P10 T01 "
                + "T03 U01 U02 U03 U04 U05 U06 U07 U08 U09 U10 U12 U13 U16 U18 U23 U24 U25 U26",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void update(ToyModel model) {
                    super.update(model);
                    super.update(model);
                  }
                }),
        wrong(
            "that stops after 5,000 updates",
            "U13",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void update(ToyModel model) {
                    if (progress().updates() < 5_000) {
                      super.update(model);
                    }
                  }
                }),
        wrong(
            "that writes the model at an update",
            "C01 C04 C05 C08 C10 C11 C12 C16 L02 L03 L04 L06 L07 L14 T01 U15",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void update(ToyModel model) {
                    super.update(model);
                    copyTo(model);
                  }
                }),
        wrong(
            "that does not count elapsed time",
            "U17",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void update(ToyModel model, long elapsed) {
                    super.update(model, Math.min(1, elapsed));
                  }
                }),
        wrong(
            "that gives a user's rule the weight for the decay",
            "G01 U20",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public <T> void update(ToyModel model, Class<T> type, UpdateRule<T> rule) {
                    super.update(
                        model,
                        type,
                        (average, from, decay) -> rule.apply(average, from, 1 - decay));
                  }
                }),
        wrong("that keeps what a failing rule wrote", "U21", AverageMutants::keepingHalfARule),
        wrong(
            "that updates where it should set",
            "G01 U22",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void set(ToyModel model) {
                    super.update(model);
                  }
                }),
        wrong(
            "that ignores a model that does not fit",
            "F02 L11 P11",
            AverageMutants::ignoringMisfits),
        wrong("that is half updated when it fails", "L11", AverageMutants::movingWhenItFails),
        wrong("that updates while swapped, unseen", "L04", AverageMutants::quietWhileSwapped),
        wrong(
            "that restores all but one element after a swap",
            "C04 L03 L04 T01",
            AverageMutants::losingAnElement),
        wrong("that keeps what an evaluation wrote", "L03", AverageMutants::keepingWhatWasWritten),
        wrong(
            "that does not copy out",
            "L04 L05 P04",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void copyTo(ToyModel target, double factor) {
                    if (factor < 1) {
                      super.copyTo(target, factor);
                    }
                  }
                }),
        wrong(
            "that copies out all where a part is asked for",
            "L06",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void copyTo(ToyModel target, double factor) {
                    super.copyTo(target, 1);
                  }
                }),
        wrong("whose module stays as it was made", "L07", AverageMutants::keepingTheModule),
        wrong(
            "that does not close",
            "L04 L08 T06",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void close() {
                    // forgotten
                  }
                }),
        wrong(
            "that does not load",
            "L04 L09",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void load(StateDict<?> state) {
                    // forgotten
                  }
                }),
        wrong(
            "that loads without progress",
            "L10",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public void load(StateDict<?> state, Progress progress) {
                    super.load(state);
                  }
                }),
        wrong(
            "whose snapshot is live",
            "L12",
            real ->
                new ForwardingEma(real) {
                  @Override
                  public StateDict<?> snapshot() {
                    return super.state();
                  }
                }),
        wrong("that lets a second thread in", "T02", AverageMutants::lettingThreadsIn),
        wrong("that is lost where it cannot go", "L16", AverageMutants::losingItself));
  }

  private static Mutant started(String name, String foundBy, UnaryOperator<EmaConfig> change) {
    return new Mutant(
        "average started " + name,
        foundBy,
        new ToySubject(new ToyAdapter(new ToyBackend())) {
          @Override
          public ModelEma<ToyModel> start(
              ModelEma.Builder<ToyModel> builder, EmaConfig config, ToyModel model) {
            return super.start(builder, change.apply(config), model);
          }
        });
  }

  private static Mutant wrong(
      String name, String foundBy, UnaryOperator<ModelEma<ToyModel>> broken) {
    return new Mutant(
        "average " + name,
        foundBy,
        new ToySubject(new ToyAdapter(new ToyBackend())) {
          @Override
          public ModelEma<ToyModel> start(
              ModelEma.Builder<ToyModel> builder, EmaConfig config, ToyModel model) {
            return broken.apply(super.start(builder, config, model));
          }
        });
  }

  private static EmaConfig paired(EmaConfig config, Pairing pairing) {
    return config.withStrategy(new EmaStrategy(pairing, config.strategy().schedule()));
  }

  private static EmaConfig treated(EmaConfig config, Role role, Treatment treatment) {
    return config.withPolicy(config.policy().with(role, treatment));
  }

  private static EmaConfig late(EmaConfig config) {
    DecaySchedule schedule = config.strategy().schedule();
    return config.withStrategy(
        config.strategy().scheduled((time, elapsed) -> schedule.decay(Math.max(1, time - 1), 1)));
  }

  private static EmaConfig clamped(EmaConfig config) {
    DecaySchedule schedule = config.strategy().schedule();
    return config.withStrategy(
        config
            .strategy()
            .scheduled(
                (time, elapsed) ->
                    Math.min(0.9999, Math.max(0.0001, schedule.decay(time, elapsed)))));
  }

  private static ModelEma<ToyModel> keepingHalfARule(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public <T> void update(ToyModel model, Class<T> type, UpdateRule<T> rule) {
        RuntimeException[] failure = {null};
        super.update(
            model,
            type,
            (average, from, decay) -> {
              try {
                rule.apply(average, from, decay);
              } catch (RuntimeException e) {
                failure[0] = e;
              }
            });
        if (failure[0] != null) {
          throw failure[0];
        }
      }
    };
  }

  private static ModelEma<ToyModel> ignoringMisfits(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public void update(ToyModel model) {
        try {
          super.update(model);
        } catch (IllegalArgumentException e) {
          // ignored
        }
      }
    };
  }

  private static ModelEma<ToyModel> movingWhenItFails(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public void update(ToyModel model, long elapsed) {
        try {
          super.update(model, elapsed);
        } catch (IllegalArgumentException e) {
          super.update(model);
          throw e;
        }
      }
    };
  }

  private static ModelEma<ToyModel> quietWhileSwapped(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public void update(ToyModel model) {
        if (!swapped()) {
          super.update(model);
        }
      }
    };
  }

  private static ModelEma<ToyModel> losingAnElement(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public Swap swapInto(ToyModel model) {
        Swap swap = super.swapInto(model);
        float[] first = floats(model);
        float averaged = first[0];
        return () -> {
          swap.close();
          first[0] = averaged;
        };
      }
    };
  }

  private static ModelEma<ToyModel> keepingWhatWasWritten(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public Swap swapInto(ToyModel model) {
        Swap swap = super.swapInto(model);
        float averaged = floats(model)[0];
        return () -> {
          float written = floats(model)[0];
          swap.close();
          if (Float.compare(written, averaged) != 0) {
            floats(model)[0] = written;
          }
        };
      }
    };
  }

  private static ModelEma<ToyModel> keepingTheModule(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      private ToyModel made;

      @Override
      public ToyModel module() {
        if (made == null) {
          made = super.module();
        }
        return made;
      }
    };
  }

  private static ModelEma<ToyModel> lettingThreadsIn(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public void update(ToyModel model) {
        try {
          super.update(model);
        } catch (IllegalStateException e) {
          if (!String.valueOf(e.getMessage()).contains("thread")) {
            throw e;
          }
        }
      }
    };
  }

  private static ModelEma<ToyModel> losingItself(ModelEma<ToyModel> real) {
    return new ForwardingEma(real) {
      @Override
      public void to(Device device) {
        try {
          super.to(device);
        } catch (UnsupportedOperationException e) {
          close();
          throw e;
        }
      }
    };
  }

  private static float[] floats(ToyModel model) {
    ToyTensor first = model.tensors().values().iterator().next();
    return (float[]) first.array().array();
  }
}
