package io.github.ema4j.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.buffer_iterator;
import org.bytedeco.pytorch.buffer_list;
import org.bytedeco.pytorch.named_buffer_iterator;
import org.bytedeco.pytorch.named_buffer_list;
import org.bytedeco.pytorch.named_module_iterator;
import org.bytedeco.pytorch.named_module_list;
import org.bytedeco.pytorch.named_parameter_iterator;
import org.bytedeco.pytorch.named_parameter_list;
import org.bytedeco.pytorch.parameter_iterator;
import org.bytedeco.pytorch.parameter_list;

/** TorchScript modules. */
final class ScriptNetwork implements Network<JitModule> {

  @Override
  public List<String> modules(JitModule model) {
    List<String> names = new ArrayList<>();
    named_module_list list = model.named_modules();
    named_module_iterator end = list.end();
    for (named_module_iterator i = list.begin(); i.notEquals(end); i.increment()) {
      names.add(Network.text(i.access().name()));
    }
    return names;
  }

  @Override
  public List<Named> parameters(JitModule model) {
    List<Named> parameters = new ArrayList<>();
    named_parameter_list list = model.named_parameters();
    named_parameter_iterator end = list.end();
    for (named_parameter_iterator i = list.begin(); i.notEquals(end); i.increment()) {
      parameters.add(named(i.access()));
    }
    return parameters;
  }

  @Override
  public List<Named> buffers(JitModule model) {
    List<Named> buffers = new ArrayList<>();
    named_buffer_list list = model.named_buffers();
    named_buffer_iterator end = list.end();
    for (named_buffer_iterator i = list.begin(); i.notEquals(end); i.increment()) {
      buffers.add(named(i.access()));
    }
    return buffers;
  }

  private static Named named(NamedTensor pair) {
    return new Named(Network.text(pair.name()), new Tensor(pair.value()));
  }

  @Override
  public List<Tensor> tensors(JitModule model) {
    List<Tensor> tensors = new ArrayList<>();
    parameter_list parameters = model.parameters();
    parameter_iterator lastParameter = parameters.end();
    for (parameter_iterator i = parameters.begin(); i.notEquals(lastParameter); i.increment()) {
      tensors.add(i.access());
    }
    buffer_list buffers = model.buffers();
    buffer_iterator lastBuffer = buffers.end();
    for (buffer_iterator i = buffers.begin(); i.notEquals(lastBuffer); i.increment()) {
      tensors.add(i.access());
    }
    return tensors;
  }

  /** Copies parameters, buffers and other attributes, tied ones as tied. */
  @Override
  public JitModule copy(JitModule model) {
    JitModule[] copy = new JitModule[1];
    Guards.withoutGradient(() -> copy[0] = Guards.kept(model.deepcopy()));
    return copy[0];
  }

  @Override
  public void evaluate(JitModule model) {
    model.eval();
  }
}
