package io.github.ema4j.torch;

import io.github.ema4j.Device;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.DeviceBackend;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * LibTorch's tensors in host memory, said to be on a CUDA device: core then has the backend average
 * them, by the calls that a device would get. Opening their memory fails.
 */
final class FarTorch implements DeviceBackend<Tensor> {
  static final Device DEVICE = Device.parse("cuda:0");

  private final TorchBackend backend = TorchBackend.instance();

  @Override
  public String name() {
    return backend.name();
  }

  @Override
  public Class<Tensor> tensorType() {
    return backend.tensorType();
  }

  @Override
  public TensorSpec describe(Tensor tensor) {
    return backend.describe(tensor).withDevice(DEVICE);
  }

  @Override
  public Storage storage(Tensor tensor) {
    return backend.storage(tensor);
  }

  @Override
  public HostMemory memory(Tensor tensor) {
    throw new AssertionError("a tensor on a device was opened on the host");
  }

  @Override
  public List<Tensor> allocate(List<TensorSpec> specs) {
    return backend.allocate(specs.stream().map(spec -> spec.withDevice(Device.CPU)).toList());
  }

  @Override
  public void release(List<Tensor> tensors) {
    backend.release(tensors);
  }

  @Override
  public void withoutGradient(Runnable work) {
    backend.withoutGradient(work);
  }

  @Override
  public void lerp(List<Tensor> averages, List<Tensor> models, double weight) {
    backend.lerp(averages, models, weight);
  }

  @Override
  public void weightedSum(
      List<Tensor> averages, List<Tensor> models, double averageFactor, double modelFactor) {
    backend.weightedSum(averages, models, averageFactor, modelFactor);
  }

  @Override
  public void copy(List<Tensor> to, List<Tensor> from) {
    backend.copy(to, from);
  }

  @Override
  public boolean isFinite(Tensor tensor) {
    return backend.isFinite(tensor);
  }
}
