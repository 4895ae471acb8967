package io.github.ema4j.djl;

import ai.djl.MalformedModelException;
import ai.djl.engine.Engine;
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
import io.github.ema4j.testkit.Capability;
import io.github.ema4j.testkit.ConformanceKit;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

class DjlConformanceTest extends ConformanceKit<Block, NDArray> {
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
  public ModelAdapter<Block, NDArray> adapter() {
    return DjlAdapter.instance();
  }

  @Override
  public Set<Capability> capabilities() {
    Set<Capability> capabilities = EnumSet.of(Capability.IN_PLACE, Capability.ZERO_COPY);
    capabilities.add(Capability.EMPTY);
    capabilities.add(Capability.MOVING);
    capabilities.add(Capability.ABOVE_2_GIB);
    TYPES.keySet().forEach(type -> capabilities.add(Capability.of(type)));
    return capabilities;
  }

  @Override
  public Block newModel(StateDict<ArrayTensor> like) {
    return new ParametersBlock(like);
  }

  @Override
  public void release(Block model) {
    ((ParametersBlock) model).manager.close();
  }

  @Override
  public String version() {
    Engine engine = Engine.getInstance();
    return "DJL "
        + Engine.getDjlVersion()
        + ", "
        + engine.getEngineName()
        + " "
        + engine.getVersion();
  }

  @Override
  public Optional<NDArray> transposed(NDArray array) {
    return Optional.of(array.transpose());
  }

  @Override
  public void relocate(Block model) {
    NDManager manager = ((ParametersBlock) model).manager;
    for (Parameter parameter : model.getParameters().values()) {
      ByteArrayOutputStream saved = new ByteArrayOutputStream();
      try {
        parameter.save(new DataOutputStream(saved));
        parameter.load(manager, new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
      } catch (IOException | MalformedModelException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
