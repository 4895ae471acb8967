package io.github.ema4j.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDScope;
import ai.djl.nn.Block;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import com.google.common.collect.ImmutableMap;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** What needs the PyTorch engine's own classes; loaded where there is a TorchScript block. */
final class TorchScripts {
  private static final String METHOD = "ema_buffers";

  private TorchScripts() {}

  /**
   * Returns a module's buffers, as its method {@code ema_buffers} gives them: by name if it returns
   * a dict (in the order of the names, as DJL loses the dict's), by position if a list. The caller
   * closes them.
   *
   * @throws UnsupportedOperationException if the module has no such method, or it returns something
   *     else
   */
  static Map<String, NDArray> buffers(Block block) {
    PtSymbolBlock script = (PtSymbolBlock) block;
    if (!Arrays.asList(JniUtils.getMethodNames(script)).contains(METHOD)) {
      throw new UnsupportedOperationException(
          "DJL does not list the buffers of a TorchScript module, such as running statistics, and"
              + " this one does not export them. Add to the module, before it is scripted:"
              + " @torch.jit.export def ema_buffers(self) -> Dict[str, torch.Tensor]: return"
              + " {\"bn.running_mean\": self.bn.running_mean, ...} (empty if it has none)");
    }
    try (NDScope unfinished = new NDScope();
        IValue result = IValueUtils.runMethod(script, METHOD)) {
      unfinished.suppressNotUsedWarning();
      Map<String, NDArray> buffers = tensors(result);
      DjlBackend.keep(buffers.values());
      return ImmutableMap.copyOf(buffers);
    }
  }

  private static Map<String, NDArray> tensors(IValue result) {
    PtNDManager manager = (PtNDManager) DjlBackend.manager();
    if (result.isTensorList()) {
      Map<String, NDArray> buffers = new LinkedHashMap<>();
      for (NDArray array : result.toTensorArray(manager)) {
        buffers.put(METHOD + "." + buffers.size(), array);
      }
      return buffers;
    } else if (!result.isMap()) {
      throw wrongType(result);
    }
    Map<String, IValue> values = result.toIValueMap();
    try {
      if (!values.values().stream().allMatch(IValue::isTensor)) {
        throw wrongType(result);
      }
      Map<String, NDArray> buffers = new TreeMap<>();
      values.forEach((name, value) -> buffers.put(name, value.toTensor(manager)));
      return buffers;
    } finally {
      values.values().forEach(IValue::close);
    }
  }

  private static UnsupportedOperationException wrongType(IValue result) {
    return new UnsupportedOperationException(
        "the TorchScript module's method "
            + METHOD
            + " must return List[Tensor] or Dict[str, Tensor], but returns "
            + result.getType());
  }
}
