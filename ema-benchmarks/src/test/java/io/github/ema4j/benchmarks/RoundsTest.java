package io.github.ema4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RoundsTest {
  private final List<String> calls = new ArrayList<>();
  private final Rounds rounds = new Rounds(3, 0, threads -> calls.add("threads " + threads));

  private void add(Group group, String name, int threads) {
    group.add(new Contender(name, threads, 0, 0, () -> calls.add(name)));
  }

  @Test
  void everyRoundBeginsWithAnotherContender() {
    Group group = Group.ofUpdates("group");
    add(group, "a", 1);
    add(group, "b", 1);
    add(group, "c", 1);

    assertThat(rounds.measure(group))
        .hasSize(3)
        .allSatisfy(samples -> assertThat(samples.asList()).hasSize(3).allMatch(each -> each > 0));
    calls.removeIf(call -> call.startsWith("threads"));
    List<String> turns = new ArrayList<>();
    for (String call : calls) {
      if (turns.isEmpty() || !turns.get(turns.size() - 1).equals(call)) {
        turns.add(call); // a turn is several calls of what is so fast
      }
    }
    assertThat(String.join("", turns)).isEqualTo("abc" + "abc" + "bca" + "cab");
  }

  @Test
  void trainingGoesOnInItsOrderAndIsCalledOnceATurn() {
    Group group = Group.ofTraining("training");
    add(group, "step", 1);
    add(group, "update", 1);

    rounds.measure(group);

    calls.removeIf(call -> call.startsWith("threads"));
    assertThat(calls.subList(calls.size() - 6, calls.size()))
        .containsExactly("step", "update", "step", "update", "step", "update");
  }

  @Test
  void theFrameworkIsToldTheThreadsOfEachContender() {
    Group group = Group.ofUpdates("group");
    add(group, "one", 1);
    add(group, "two", 2);

    rounds.measure(group);

    for (int i = 0; i < calls.size(); i++) {
      if (calls.get(i).startsWith("threads")) {
        assertThat(calls.get(i + 1)).isEqualTo(calls.get(i).endsWith("1") ? "one" : "two");
      }
    }
  }
}
