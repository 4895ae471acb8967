package io.github.ema4j.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import io.github.ema4j.ElementType;
import io.github.ema4j.Role;
import io.github.ema4j.StateDict;
import io.github.ema4j.StateDict.Entry;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.GoldenKit;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

class DjlGoldenTest extends GoldenKit<Block, NDArray> {
  private static final Map<ElementType, DataType> TYPES =
      Map.of(
          ElementType.F64, DataType.FLOAT64,
          ElementType.F32, DataType.FLOAT32,
          ElementType.F16, DataType.FLOAT16,
          ElementType.I64, DataType.INT64,
          ElementType.I32, DataType.INT32,
          ElementType.I8, DataType.INT8,
          ElementType.U8, DataType.UINT8,
          ElementType.BOOL, DataType.BOOLEAN);

  /** A block that has parameters but computes nothing. */
  private static final class ParametersBlock extends AbstractBlock {
    private final NDManager manager = NDManager.newBaseManager();

    ParametersBlock(StateDict<ArrayTensor> like) {
      for (Entry<ArrayTensor> entry : like.entries()) {
        Shape shape = new Shape(entry.spec().shape().toArray());
        addParameter(
            Parameter.builder()
                .setName(entry.name())
                .setType(
                    entry.role() == Role.STATISTIC
                        ? Parameter.Type.RUNNING_VAR
                        : Parameter.Type.WEIGHT)
                .optArray(manager.zeros(shape, TYPES.get(entry.spec().type())))
                .optShape(shape)
                .optRequiresGrad(entry.role() == Role.PARAMETER)
                .build());
      }
      initialize(manager, DataType.FLOAT32, new Shape(1));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore parameters,
        NDList inputs,
        boolean training,
        @Nullable PairList<String, Object> options) {
      throw new UnsupportedOperationException("computes nothing");
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }
  }

  @Override
  protected ModelAdapter<Block, NDArray> adapter() {
    return DjlAdapter.instance();
  }

  @Override
  protected Block newModel(StateDict<ArrayTensor> like) {
    return new ParametersBlock(like);
  }

  @Override
  protected void release(Block model) {
    ((ParametersBlock) model).manager.close();
  }

  @Override
  protected Set<ElementType> elementTypes() {
    return TYPES.keySet();
  }
}
