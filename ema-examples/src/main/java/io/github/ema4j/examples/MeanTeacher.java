package io.github.ema4j.examples;

import static io.github.ema4j.EmaStrategy.nameMatched;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.ModelEma;
import io.github.ema4j.spi.ModelAdapter;
import java.util.function.BiConsumer;

/** A student that learns from its own average: Mean Teacher, or the target network of BYOL. */
public final class MeanTeacher {

  private MeanTeacher() {}

  /**
   * Trains a student.
   *
   * @param step trains the student, given first, by one step towards what the teacher, given
   *     second, says
   */
  public static <M> void train(
      ModelAdapter<M, ?> adapter, M student, int steps, BiConsumer<M, M> step) {
    // tag::teacher[]
    DecaySchedule towardsOne = DecaySchedule.cosine(0.996, 1, steps);
    try (ModelEma<M> ema =
        ModelEma.builder(adapter)
            .strategy(nameMatched(0.996).scheduled(towardsOne))
            .build(student)) {
      for (int i = 0; i < steps; i++) {
        M teacher = ema.module(); // in evaluation mode, without gradients, up to date
        step.accept(student, teacher);
        ema.update(student);
      }
    }
    // end::teacher[]
  }
}
