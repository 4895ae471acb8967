package io.github.ema4j.checkpoint;

import io.github.ema4j.TensorSpec;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.spi.TensorBackend;
import java.util.List;

/** The backend of tensors in files, which are only read. */
final class FileBackend implements TensorBackend<FileTensor> {
  static final FileBackend INSTANCE = new FileBackend();

  private FileBackend() {}

  @Override
  public String name() {
    return "file";
  }

  @Override
  public Class<FileTensor> tensorType() {
    return FileTensor.class;
  }

  @Override
  public TensorSpec describe(FileTensor tensor) {
    tensor.requireOpen();
    return tensor.spec();
  }

  @Override
  public Storage storage(FileTensor tensor) {
    return tensor.storage();
  }

  @Override
  public HostMemory memory(FileTensor tensor) {
    return tensor.memory();
  }

  @Override
  public List<FileTensor> allocate(List<TensorSpec> specs) {
    throw new UnsupportedOperationException(
        "tensors of a file are only read; load them into an average of another backend");
  }

  @Override
  public void release(List<FileTensor> tensors) {
    // What a file's tensors hold is freed with the file.
  }
}
