package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.halving;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import io.github.ema4j.FarBackend.Far;
import io.github.ema4j.array.ArrayTensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DriftTest {

  @Test
  void theDriftIsTheDistanceInNormsOfTheAverage() {
    float[] first = {3, 4};
    float[] second = {0, 12};
    StateDict<ArrayTensor> model =
        dict().parameter("first", tensor(first)).statistic("second", tensor(second)).build();
    try (var average = halving(model)) {
      assertThat(average.drift(model).total()).isZero();
      first[0] = 9; // 6 away, of 5
      second[1] = 4; // 8 away, of 12
      Drift drift = average.drift(model);
      assertThat(drift.byEntry()).containsOnlyKeys("first", "second");
      assertThat(drift.byEntry()).containsEntry("first", 6 / 5.0);
      assertThat(drift.byEntry()).containsEntry("second", 8 / 12.0);
      assertThat(drift.total()).isCloseTo(10 / 13.0, within(1e-15));
      assertThat(first).as("only read").containsExactly(9, 4);
    }
  }

  @Test
  void largeTensorsWithGapsAreMeasuredWhole() {
    float[] array = new float[2 * 5000];
    ArrayTensor everySecond =
        ArrayTensor.view(ElementType.F32, array, 0, new long[] {5000}, new long[] {2});
    for (int i = 0; i < array.length; i++) {
      array[i] = i % 2 == 0 ? 1 : Float.NaN; // not the model's
    }
    StateDict<ArrayTensor> model = dict().parameter("w", everySecond).build();
    try (var average = halving(model)) {
      array[2 * 4999] = 2; // 1 away, of the root of 5000
      assertThat(average.drift(model).total()).isCloseTo(1 / Math.sqrt(5000), within(1e-15));
    }
  }

  @Test
  void anotherModelCanBeMeasured() {
    try (var average = halving(model("w", 2))) {
      assertThat(average.drift(model("w", 3)).total()).isEqualTo(0.5);
    }
  }

  @Test
  void anAverageOfZerosIsInfinitelyFarFromAnythingElse() {
    float[] weights = {0, 0};
    StateDict<ArrayTensor> model = dict().parameter("w", tensor(weights)).build();
    try (var average = halving(model)) {
      assertThat(average.drift(model).total()).isZero();
      weights[1] = 1;
      assertThat(average.drift(model).total()).isEqualTo(Double.POSITIVE_INFINITY);
      weights[1] = Float.NaN;
      assertThat(average.drift(model).total()).isNaN();
    }
  }

  @Test
  void whatIsNotAveragedHasNoDrift() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("w", tensor(1))
            .parameter("skipped", tensor(1))
            .parameter("copied", tensor(1))
            .counter("steps", ArrayTensor.of(new long[] {1}, 1))
            .build();
    EntryPolicy policy =
        EntryPolicy.defaults()
            .with(NamePattern.glob("skipped"), Treatment.SKIP)
            .with(NamePattern.glob("copied"), Treatment.COPY);
    try (var average = averaging().policy(policy).build(model)) {
      assertThat(average.drift(model).byEntry()).containsOnlyKeys("w");
    }
  }

  @Test
  void tiedEntriesCountOnceInTheTotal() {
    float[] array = {1};
    ArrayTensor shared = tensor(array);
    float[] other = {1};
    StateDict<ArrayTensor> model =
        dict()
            .parameter("embedding", shared)
            .parameter("head", shared)
            .parameter("other", tensor(other))
            .build();
    try (var average = halving(model)) {
      array[0] = 2;
      Drift drift = average.drift(model);
      assertThat(drift.byEntry()).containsEntry("embedding", 1.0).containsEntry("head", 1.0);
      assertThat(drift.total()).isCloseTo(Math.sqrt(0.5), within(1e-15));
    }
  }

  @Test
  void typesAndLayoutsMayDiffer() {
    Random random = new Random(61);
    int rows = 37;
    int columns = 90; // more than a block in all, and no multiple of one
    short[] halves = new short[rows * columns];
    StateDict<ArrayTensor> model =
        dict()
            .parameter(
                "w",
                ArrayTensor.view(
                    ElementType.BF16, halves, 0, new long[] {rows, columns}, new long[] {1, rows}))
            .build();
    double distance = 0;
    double norm = 0;
    try (var average = averaging().shadowType(ShadowType.F64).build(model)) {
      float[] start = new float[halves.length];
      fill(halves, start, random);
      average.set(model);
      float[] now = new float[halves.length];
      fill(halves, now, random);
      for (int i = 0; i < now.length; i++) {
        distance += Math.pow((double) now[i] - start[i], 2);
        norm += Math.pow(start[i], 2);
      }
      assertThat(average.drift(model).total()).isCloseTo(Math.sqrt(distance / norm), within(1e-13));
    }
  }

  /** Draws bfloat16 values, which are the upper halves of floats. */
  private static void fill(short[] halves, float[] values, Random random) {
    for (int i = 0; i < halves.length; i++) {
      halves[i] = (short) (Float.floatToIntBits(random.nextFloat() - 0.3f) >>> 16);
      values[i] = Float.intBitsToFloat(halves[i] << 16);
    }
  }

  @Test
  void whatLiesElsewhereIsCopiedForTheTime() {
    FarBackend backend = new FarBackend();
    float[] array = {4};
    StateDict<Far> model =
        StateDict.builder(backend).parameter("w", FarBackend.far(tensor(array))).build();
    try (ModelEma<StateDict<Far>> average =
        ModelEma.builder(StateDict.adapter(backend))
            .strategy(EmaStrategy.nameMatched(0.5))
            .build(model)) {
      int live = backend.live();
      array[0] = 5;
      assertThat(average.drift(model).total()).isEqualTo(0.25);
      assertThat(backend.live()).isEqualTo(live);
    }
  }

  @Test
  void averagesInABankAreMeasuredEach() {
    float[] array = {1};
    StateDict<ArrayTensor> model = dict().parameter("w", tensor(array)).build();
    try (var bank =
        EmaBank.builder(io.github.ema4j.array.ArrayBackend.adapter())
            .average("slow", DecaySchedule.constant(1))
            .average("fast", DecaySchedule.constant(0.5))
            .build(model)) {
      array[0] = 3;
      bank.update(model);
      assertThat(bank.average("slow").drift(model).total()).isEqualTo(2);
      assertThat(bank.average("fast").drift(model).total()).isEqualTo(0.5);
    }
  }

  @Test
  @SuppressWarnings("try") // the swap is open for as long as it is not closed
  void thereIsNoDriftToMeasureDuringASwapOrAfterTheEnd() {
    StateDict<ArrayTensor> model = model("w", 1);
    var average = halving(model);
    try (Swap swap = average.swapInto(model)) {
      assertThatIllegalStateException()
          .isThrownBy(() -> average.drift(model))
          .withMessage(
              "cannot measure the drift while it is swapped into a model; close the swap first");
    }
    average.close();
    assertThatIllegalStateException()
        .isThrownBy(() -> average.drift(model))
        .withMessage("the average is closed");
  }
}
