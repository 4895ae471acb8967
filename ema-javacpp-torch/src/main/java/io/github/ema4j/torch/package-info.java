/**
 * Averages of LibTorch models in the JavaCPP presets. {@link io.github.ema4j.torch.TorchAdapter}
 * binds modules, written in Java or native, and TorchScript modules; {@link
 * io.github.ema4j.torch.TorchBackend} averages any tensors. Tensors in host memory are averaged in
 * place, without copies; those on other devices by LibTorch's own fused operations.
 */
@NullMarked
package io.github.ema4j.torch;

import org.jspecify.annotations.NullMarked;
