package consumer;

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
import io.github.ema4j.djl.DjlAdapter;
import io.github.ema4j.spi.ModelAdapter;
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.util.EnumSet;
import java.util.Set;

/** The kit as a user runs it. */
class KitTest extends ConformanceKit<Block, NDArray> {

  @Override
  public ModelAdapter<Block, NDArray> adapter() {
    return DjlAdapter.instance();
  }

  @Override
  public Set<Capability> capabilities() {
    return EnumSet.of(
        Capability.IN_PLACE,
        Capability.ZERO_COPY,
        Capability.EMPTY,
        Capability.ABOVE_2_GIB,
        Capability.F64,
        Capability.F32,
        Capability.F16,
        Capability.I64,
        Capability.I32,
        Capability.I8,
        Capability.U8,
        Capability.BOOL);
  }

  @Override
  public Block newModel(StateDict<ArrayTensor> like) {
    return new Weights(like);
  }

  @Override
  public void release(Block model) {
    ((Weights) model).manager.close();
  }

  private static final class Weights extends AbstractBlock {
    private final NDManager manager = NDManager.newBaseManager();

    Weights(StateDict<ArrayTensor> like) {
      for (Entry<ArrayTensor> entry : like.entries()) {
        Shape shape = new Shape(entry.spec().shape().toArray());
        Parameter.Type type =
            entry.role() == Role.STATISTIC ? Parameter.Type.RUNNING_VAR : Parameter.Type.WEIGHT;
        addParameter(
            Parameter.builder()
                .setName(entry.name())
                .setType(type)
                .optArray(manager.zeros(shape, type(entry.spec().type())))
                .optShape(shape)
                .optRequiresGrad(entry.role() == Role.PARAMETER)
                .build());
      }
      initialize(manager, DataType.FLOAT32, new Shape(1));
    }

    private static DataType type(ElementType type) {
      return switch (type) {
        case F64 -> DataType.FLOAT64;
        case F16 -> DataType.FLOAT16;
        case I64 -> DataType.INT64;
        case I32 -> DataType.INT32;
        case I8 -> DataType.INT8;
        case U8 -> DataType.UINT8;
        case BOOL -> DataType.BOOLEAN;
        default -> DataType.FLOAT32;
      };
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore parameters,
        NDList inputs,
        boolean training,
        PairList<String, Object> options) {
      throw new UnsupportedOperationException("computes nothing");
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }
  }
}
