package io.github.ema4j.spark;

import com.google.common.collect.ImmutableList;
import io.github.ema4j.StateDict;
import io.github.ema4j.checkpoint.FileTensor;
import io.github.ema4j.merge.MergePlan;
import java.io.IOException;
import org.apache.hadoop.conf.Configuration;

/**
 * The inputs of a plan, as the driver opens them: it reads their headers alone.
 *
 * @param plan what is to be summed
 * @param states the inputs' tensors, by the plan's indices
 * @param closing closes the files
 */
record OpenInputs(MergePlan plan, ImmutableList<StateDict<FileTensor>> states, Runnable closing)
    implements AutoCloseable {

  /** Opens inputs. */
  interface Opener {
    /**
     * Opens them.
     *
     * @throws IOException if one cannot be read
     * @throws io.github.ema4j.checkpoint.CheckpointException if one is not what it should be
     * @throws IllegalArgumentException if they do not fit together
     */
    OpenInputs open(Configuration configuration) throws IOException;
  }

  @Override
  public void close() {
    closing.run();
  }
}
