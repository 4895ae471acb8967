package consumer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.ModelEma;
import io.github.ema4j.djl.DjlAdapter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One program, two configurations: only the file says how entries pair. */
class StrategyTest {

  @Test
  void theStrategyIsSwitchedByConfiguration(@TempDir Path folder) throws Exception {
    try (NDManager manager = NDManager.newBaseManager()) {
      Block model = network(manager);
      // The same network as a fresh block of another kind would name it: under a parent.
      Block renamed = new ai.djl.nn.SequentialBlock().add(network(manager));
      EmaConfig byName = configuration(folder, "name-matched");
      EmaConfig byPosition = configuration(folder, "ordered");

      try (ModelEma<Block> ema = start(byName, model)) {
        assertThatIllegalArgumentException().isThrownBy(() -> ema.update(renamed));
      }
      try (ModelEma<Block> ema = start(byPosition, model)) {
        ema.update(renamed);
        assertThat(ema.progress().updates()).isEqualTo(1);
      }
    }
  }

  private static ModelEma<Block> start(EmaConfig config, Block model) {
    return ModelEma.builder(DjlAdapter.instance()).config(config).build(model);
  }

  private static EmaConfig configuration(Path folder, String strategy) throws Exception {
    Path file = folder.resolve(strategy + ".conf");
    Files.writeString(file, "ema.average.strategy = " + strategy + "\n");
    return EmaConfig.load(file);
  }

  private static Block network(NDManager manager) {
    Block block = Linear.builder().setUnits(3).build();
    block.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    return block;
  }
}
