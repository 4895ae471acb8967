package io.github.ema4j.benchmarks;

import io.github.ema4j.benchmarks.TrainingFramework.Training;
import io.github.ema4j.examples.digits.DemoSteps;
import java.util.Properties;

/** Makes the groups from which the share of a step follows that an update takes. */
final class TrainingGroups {
  private static final int NEVER = Integer.MAX_VALUE;

  private TrainingGroups() {}

  /** Returns the parts of a step: the optimiser's and the average's. */
  static Group partsOf(Training training) {
    Group group = Group.ofTraining(Names.training(training.description()));
    group.own(training::close);
    group.add(new Contender(Names.STEP, Threads.MOST, 0, 0, training::step));
    group.add(new Contender(Names.UPDATE, Threads.MOST, 0, 0, training::update));
    return group;
  }

  /**
   * Returns steps of the demo with an update after each, and with none, as the demo's average is
   * not to be had by itself.
   *
   * @param backend what the demo calls the framework
   */
  static Group demo(String backend, int steps) {
    Group group = Group.ofTraining(Names.DEMO);
    group.add(new Contender(Names.WITH, 1, 0, 0, demo(group, backend, steps, 1)));
    group.add(new Contender(Names.WITHOUT, 1, 0, 0, demo(group, backend, steps, NEVER)));
    return group;
  }

  private static Runnable demo(Group group, String backend, int steps, int every) {
    Properties settings = new Properties();
    settings.setProperty("demo.backend", backend);
    settings.setProperty("ema.average.every", Integer.toString(every));
    DemoSteps demo = DemoSteps.start(settings);
    group.own(demo::close);
    return () -> {
      for (int i = 0; i < steps; i++) {
        demo.step();
      }
    };
  }
}
