package io.github.ema4j.torch;

import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.Tensor;

class ModuleConformanceTest extends TorchKit<Module> {

  @Override
  public TorchAdapter<Module> adapter() {
    return TorchAdapter.of(Module.class);
  }

  @Override
  Module module() {
    return new Module();
  }

  @Override
  void addModule(Module owner, String name, Module child) {
    owner.register_module(name, child);
  }

  @Override
  void addParameter(Module owner, String name, Tensor tensor, boolean gradient) {
    owner.register_parameter(name, tensor, gradient);
  }

  @Override
  void addBuffer(Module owner, String name, Tensor tensor) {
    owner.register_buffer(name, tensor);
  }
}
