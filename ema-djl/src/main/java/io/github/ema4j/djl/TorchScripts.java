package io.github.ema4j.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import com.google.common.collect.ImmutableMap;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** What needs the PyTorch engine's own classes; loaded where there is a TorchScript block. */
final class TorchScripts {
  private static final String METHOD = "ema_buffers";

  private TorchScripts() {}

  /**
   * Returns a module's buffers, as its method {@code ema_buffers} gives them: by name if it returns
   * a dict, by position if a list. The caller closes them.
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
    PtNDManager manager = (PtNDManager) DjlBackend.manager();
    try (IValue result = IValueUtils.runMethod(script, METHOD)) {
      Map<String, NDArray> buffers = new LinkedHashMap<>();
      if (result.isMap()) {
        result
            .toIValueMap()
            .forEach(
                (name, value) -> {
                  buffers.put(name, value.toTensor(manager));
                  value.close();
                });
      } else if (result.isTensorList() || result.isList()) {
        PtNDArray[] arrays = result.toTensorArray(manager);
        for (int i = 0; i < arrays.length; i++) {
          buffers.put(METHOD + "." + i, arrays[i]);
        }
      } else {
        throw new UnsupportedOperationException(
            "the TorchScript module's method "
                + METHOD
                + " must return List[Tensor] or Dict[str, Tensor], but returns "
                + result.getType());
      }
      return ImmutableMap.copyOf(buffers);
    }
  }
}
