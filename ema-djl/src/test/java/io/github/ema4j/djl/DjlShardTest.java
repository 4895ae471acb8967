package io.github.ema4j.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import io.github.ema4j.EmaStrategy;
import io.github.ema4j.ModelEma;
import io.github.ema4j.checkpoint.CheckpointFolder;
import io.github.ema4j.spi.ModelAdapter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shards of a block that is trained are averaged and saved apart, and are one checkpoint. */
class DjlShardTest {
  private static final int SHARDS = 3;

  @TempDir private Path folder;

  @Test
  void shardsAreAveragedAndSavedAsOne() throws Exception {
    try (Model model = Nets.initialized(3);
        ModelEma<Block> whole = average(model, DjlAdapter.instance())) {
      List<ModelEma<Block>> shards = new ArrayList<>();
      for (int i = 0; i < SHARDS; i++) {
        shards.add(average(model, DjlAdapter.instance().shard(i, SHARDS)));
      }
      train(model, whole, shards);

      Map<String, float[]> joined = new LinkedHashMap<>();
      shards.forEach(shard -> joined.putAll(Nets.values(shard.state())));
      Map<String, float[]> expected = Nets.values(whole.state());
      assertThat(joined).hasSameSizeAs(expected);
      expected.forEach((name, values) -> assertThat(joined.get(name)).isEqualTo(values));
      assertThatThrownBy(shards.get(0)::module).hasMessageContaining("shard 0 of 3");

      save(shards);
      try (Model other = Nets.initialized(4);
          ModelEma<Block> resumed = average(other, DjlAdapter.instance());
          ModelEma<Block> second = average(other, DjlAdapter.instance().shard(1, 2))) {
        assertThat(resumed.resumeFromLatest(folder)).isPresent();
        assertThat(Nets.values(resumed.state())).usingRecursiveComparison().isEqualTo(expected);
        Nets.shift(other.getBlock(), 1);
        second.resumeFromLatest(folder);
        assertThat(Nets.weights(other.getBlock()))
            .usingRecursiveComparison()
            .isEqualTo(Nets.weights(model.getBlock()));
        Nets.values(second.state())
            .forEach((name, values) -> assertThat(values).isEqualTo(expected.get(name)));
      }
      shards.forEach(ModelEma::close);
    }
  }

  private static ModelEma<Block> average(Model model, ModelAdapter<Block, NDArray> adapter) {
    return ModelEma.builder(adapter)
        .strategy(EmaStrategy.nameMatched(0.75))
        .build(model.getBlock());
  }

  private static void train(Model model, ModelEma<Block> whole, List<ModelEma<Block>> shards)
      throws Exception {
    try (Trainer trainer = model.newTrainer(Nets.config())) {
      trainer.initialize(Nets.INPUT);
      Iterator<Batch> batches = Nets.batches(trainer, Nets.data(trainer.getManager()));
      while (batches.hasNext()) {
        Nets.step(trainer, batches.next());
        whole.update(model.getBlock());
        shards.forEach(shard -> shard.update(model.getBlock()));
      }
    }
  }

  private void save(List<ModelEma<Block>> shards) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(SHARDS);
    try {
      List<CompletableFuture<?>> saved = new ArrayList<>();
      for (int i = 0; i < SHARDS; i++) {
        int index = i;
        saved.add(
            CompletableFuture.runAsync(
                () -> {
                  try (CheckpointFolder checkpoints =
                      CheckpointFolder.keepingLatest(
                          1, folder, index, SHARDS, Duration.ofMinutes(1))) {
                    checkpoints.save(shards.get(index));
                  } catch (IOException e) {
                    throw new UncheckedIOException(e);
                  }
                },
                threads));
      }
      for (CompletableFuture<?> each : saved) {
        each.get();
      }
    } finally {
      threads.shutdown();
    }
  }
}
