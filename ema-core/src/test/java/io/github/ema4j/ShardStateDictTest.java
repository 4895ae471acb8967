package io.github.ema4j;

import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.names;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.TensorBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShardStateDictTest {

  @Test
  void theLargestIsDealtOutFirst() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("a", floats(4))
            .parameter("b", floats(7))
            .parameter("c", ArrayTensor.of(new double[3], 3))
            .parameter("d", floats(5))
            .parameter("e", floats(2))
            .build();

    // b has 28 bytes, c 24, d 20, a 16, e 8
    assertThat(names(model.shard(0, 2))).containsExactly("a", "b", "e");
    assertThat(names(model.shard(1, 2))).containsExactly("c", "d");
    assertThat(names(model.shard(0, 1))).containsExactly("a", "b", "c", "d", "e");
    assertThat(model.shard(1, 2).backend()).isSameAs(model.backend());
  }

  /** No shard has more than the mean and one tensor. */
  @Test
  void everyTensorIsInOneShardAndTheyAreBalanced() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int count = 1; count <= 9; count++) {
      StateDict.Builder<ArrayTensor> builder = dict();
      for (int i = 0; i < 100; i++) {
        builder.parameter("p" + i, floats(random.nextInt(100)));
      }
      StateDict<ArrayTensor> model = builder.build();
      List<String> all = new ArrayList<>();
      for (int index = 0; index < count; index++) {
        StateDict<ArrayTensor> shard = model.shard(index, count);
        all.addAll(names(shard));
        assertThat(bytes(shard)).as("seed %d", seed).isLessThan(bytes(model) / count + 400);
        assertThat(names(model.shard(index, count))).isEqualTo(names(shard));
      }
      assertThat(all).containsExactlyInAnyOrderElementsOf(names(model));
    }
  }

  private static long bytes(StateDict<?> dict) {
    return dict.entries().stream().mapToLong(entry -> entry.spec().elements() * 4).sum();
  }

  @Test
  void tiedTensorsCountAsOneAndStayTogether() {
    ArrayTensor shared = floats(3);
    StateDict<ArrayTensor> model =
        dict()
            .parameter("in", shared)
            .parameter("a", floats(2))
            .parameter("b", floats(2))
            .parameter("out", shared)
            .build();

    assertThat(names(model.shard(0, 2))).containsExactly("in", "out");
    assertThat(names(model.shard(1, 2))).containsExactly("a", "b");
    StateDict<ArrayTensor> smaller =
        dict().parameter("a", floats(4)).parameter("in", shared).parameter("out", shared).build();
    assertThat(names(smaller.shard(0, 2))).containsExactly("a");
    assertThat(names(smaller.shard(1, 2))).containsExactly("in", "out");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> model.shard(0, 4))
        .withMessage(
            "3 tensors, tied ones counted as one, cannot be divided into 4 shards; use fewer");
  }

  @Test
  void emptyTensorsLeaveNoShardEmpty() {
    StateDict<ArrayTensor> model =
        dict()
            .parameter("a", floats(0))
            .parameter("b", floats(1))
            .parameter("c", floats(0))
            .parameter("d", floats(0))
            .build();

    assertThat(IntStream.range(0, 4).mapToObj(i -> names(model.shard(i, 4))).toList())
        .containsExactly(List.of("b"), List.of("a"), List.of("c"), List.of("d"));
  }

  @Test
  void aShardThatIsNotThereIsRefused() {
    StateDict<ArrayTensor> model = model("w", 1);
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> model.shard(1, 1))
        .withMessageContaining("shard");
    assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> model.shard(-1, 1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> model.shard(0, 0))
        .withMessage("there must be at least 1 shard, but there are 0");
  }

  @Test
  void overlapsAreToldAsOfAWholeModel() {
    float[] memory = new float[4];
    StateDict<ArrayTensor> model =
        dict().parameter("a", view(memory, 0)).parameter("b", view(memory, 1)).build();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> model.shard(0, 2))
        .withMessageContaining("'a' and 'b' share memory");
  }

  private static ArrayTensor view(float[] memory, int offset) {
    return ArrayTensor.view(ElementType.F32, memory, offset, new long[] {2}, new long[] {1});
  }

  /** What moved is told to each shard, though the model tells it once. */
  @Test
  void eachShardSeesWhatMoved() {
    Models.Changing model =
        new Models.Changing().with("a", floats(3)).with("b", floats(2)).with("c", floats(2));
    StateDict<ArrayTensor> first = model.shard(0, 2);
    StateDict<ArrayTensor> second = model.shard(1, 2);
    assertThat(first.refresh()).isFalse();
    ArrayTensor moved = floats(2);

    model.with("c", moved);

    assertThat(first.refresh()).isTrue();
    assertThat(second.refresh()).isTrue();
    assertThat(second.refresh()).isFalse();
    assertThat(second.entries()).last().matches(entry -> entry.tensor() == moved);
    assertThat(names(second.whole())).containsExactly("a", "b", "c");
  }

  @Test
  void closingAShardClosesTheStateDict() {
    int[] closed = {0};
    StateDict<ArrayTensor> model =
        new StateDict<>() {
          @Override
          public TensorBackend<ArrayTensor> backend() {
            return ArrayBackend.instance();
          }

          @Override
          public List<Entry<ArrayTensor>> entries() {
            return model("w", 1).entries();
          }

          @Override
          public void close() {
            closed[0]++;
          }
        };

    StateDict<ArrayTensor> shard = model.shard(0, 1);
    shard.whole().close();
    assertThat(closed[0]).isZero();
    shard.close();
    assertThat(closed[0]).isEqualTo(1);
  }

  private static ArrayTensor floats(int size) {
    return tensor(new float[size]);
  }
}
