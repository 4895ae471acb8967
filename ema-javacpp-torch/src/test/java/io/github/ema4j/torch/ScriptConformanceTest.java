package io.github.ema4j.torch;

import io.github.ema4j.testkit.Capability;
import java.util.Set;
import org.bytedeco.pytorch.CompilationUnit;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.QualifiedName;
import org.bytedeco.pytorch.Tensor;

class ScriptConformanceTest extends TorchKit<JitModule> {

  @Override
  public TorchAdapter<JitModule> adapter() {
    return TorchAdapter.ofScripts();
  }

  @Override
  public Set<Capability> capabilities() {
    Set<Capability> capabilities = super.capabilities();
    capabilities.add(Capability.COPY);
    return capabilities;
  }

  @Override
  JitModule module() {
    return new JitModule(new QualifiedName("Holder"), new CompilationUnit(), true);
  }

  @Override
  void addModule(JitModule owner, String name, JitModule child) {
    owner.register_module(name, child);
  }

  @Override
  void addParameter(JitModule owner, String name, Tensor tensor, boolean gradient) {
    tensor.requires_grad_(gradient);
    owner.register_parameter(name, tensor, false);
  }

  @Override
  void addBuffer(JitModule owner, String name, Tensor tensor) {
    owner.register_buffer(name, tensor);
  }
}
