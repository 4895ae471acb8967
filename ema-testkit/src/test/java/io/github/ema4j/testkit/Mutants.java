package io.github.ema4j.testkit;

import com.google.common.collect.ImmutableList;
import java.util.List;

/** All mutants, by the part that is broken. */
final class Mutants {

  private Mutants() {}

  static List<Mutant> all() {
    return ImmutableList.<Mutant>builder()
        .addAll(BackendMutants.all())
        .addAll(ModelMutants.all())
        .addAll(AverageMutants.all())
        .addAll(CheckpointMutants.all())
        .build();
  }
}
