package io.github.ema4j.spark;

import io.github.ema4j.checkpoint.FileSource;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;

/** A file on any file system that Hadoop knows. */
final class HadoopSource implements FileSource {
  private final Path file;
  private final Configuration configuration;
  private final long size;
  private final FSDataInputStream in;

  private HadoopSource(Path file, Configuration configuration, long size, FSDataInputStream in) {
    this.file = file;
    this.configuration = configuration;
    this.size = size;
    this.in = in;
  }

  /**
   * Opens a file.
   *
   * @throws FileNotFoundException if there is none
   * @throws IOException if it cannot be read
   */
  static HadoopSource open(Path file, Configuration configuration) throws IOException {
    FileSystem fileSystem = fileSystem(file, configuration);
    FileStatus status = fileSystem.getFileStatus(file);
    if (!status.isFile()) {
      throw new FileNotFoundException(file + " is not a file");
    }
    return new HadoopSource(
        status.getPath(), configuration, status.getLen(), fileSystem.open(status.getPath()));
  }

  /**
   * Returns the file system that a file is on. That of this machine is taken as it is, without the
   * checksum files that Hadoop would lay beside what it writes.
   */
  static FileSystem fileSystem(Path file, Configuration configuration) throws IOException {
    FileSystem fileSystem = file.getFileSystem(configuration);
    return fileSystem instanceof LocalFileSystem local ? local.getRawFileSystem() : fileSystem;
  }

  /** Has the file system make durable what was written, where it can. */
  static void force(FSDataOutputStream out) throws IOException {
    if (out.hasCapability(StreamCapabilities.HSYNC)) {
      out.hsync();
    }
  }

  /** Returns where the file is, for whoever is to open it. */
  String uri() {
    return file.toString();
  }

  @Override
  public java.nio.file.Path path() {
    URI uri = file.toUri();
    return java.nio.file.Path.of("file".equals(uri.getScheme()) ? uri.getPath() : uri.toString());
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(long position, ByteBuffer into) throws IOException {
    if (into.hasArray()) {
      int offset = into.arrayOffset() + into.position();
      in.readFully(position, into.array(), offset, into.remaining());
      into.position(into.limit());
    } else {
      byte[] bytes = new byte[into.remaining()];
      in.readFully(position, bytes);
      into.put(bytes);
    }
  }

  @Override
  public HadoopSource sibling(String name) throws IOException {
    return open(new Path(file.getParent(), name), configuration);
  }

  @Override
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
