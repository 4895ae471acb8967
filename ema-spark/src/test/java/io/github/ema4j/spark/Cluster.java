package io.github.ema4j.spark;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.spark.SparkConf;
import org.apache.spark.launcher.JavaModuleOptions;

/**
 * A standalone cluster on this machine: a master and workers of one core, each a process. Workers
 * have addresses of their own, as Spark makes no second attempt beside a first on one host.
 */
final class Cluster implements AutoCloseable {
  private static final String HOST = "127.0.0.1";

  private final Path folder;
  private final int port;
  private final Process master;
  private final List<Process> workers = new ArrayList<>();

  private Cluster(Path folder) throws IOException {
    this.folder = folder;
    Files.createDirectories(folder.resolve("jars")); // what makes it a home of Spark
    port = freePort();
    master =
        start(
            HOST,
            "org.apache.spark.deploy.master.Master",
            "--host",
            HOST,
            "--port",
            String.valueOf(port),
            "--webui-port",
            "0");
  }

  /** Starts a cluster. */
  static Cluster start(Path folder, int workers) throws IOException {
    Cluster cluster = new Cluster(folder);
    try {
      cluster.awaitMaster();
      for (int i = 0; i < workers; i++) {
        cluster.workers.add(cluster.startWorker(i));
      }
      return cluster;
    } catch (IOException | RuntimeException | Error e) {
      cluster.close();
      throw e;
    }
  }

  /** Returns the settings of a driver that waits until all workers are there. */
  SparkConf conf() {
    return new SparkConf()
        .setMaster("spark://" + HOST + ":" + port)
        .setAppName("test")
        .set("spark.ui.enabled", "false")
        .set("spark.driver.bindAddress", HOST)
        .set("spark.driver.host", HOST)
        .set("spark.cores.max", String.valueOf(workers.size()))
        .set("spark.executor.memory", "512m")
        .set("spark.executor.extraClassPath", System.getProperty("java.class.path"))
        .set("spark.scheduler.minRegisteredResourcesRatio", "1")
        .set("spark.scheduler.maxRegisteredResourcesWaitingTime", "120s");
  }

  /** Kills a worker and its executors as a machine that is switched off. */
  void kill(int worker) {
    end(workers.get(worker));
  }

  @Override
  public void close() {
    workers.forEach(Cluster::end);
    end(master);
  }

  /** Ends a process and what it has started, with SIGKILL. */
  private static void end(Process process) {
    List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
    all.add(process.toHandle());
    all.forEach(ProcessHandle::destroyForcibly);
    all.forEach(each -> each.onExit().orTimeout(60, TimeUnit.SECONDS).join());
  }

  private Process startWorker(int number) throws IOException {
    String host = "127.0.0." + (number + 2);
    return start(
        host,
        "org.apache.spark.deploy.worker.Worker",
        "--host",
        host,
        "--port",
        "0",
        "--webui-port",
        "0",
        "--cores",
        "1",
        "--memory",
        "1g",
        "--work-dir",
        folder.resolve("worker" + number).toString(),
        "spark://" + HOST + ":" + port);
  }

  private Process start(String host, String program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(Arrays.asList(JavaModuleOptions.defaultModuleOptionArray()));
    command.addAll(List.of("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("SPARK_HOME", folder.toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("SPARK_LOCAL_IP", host);
    Path log = folder.resolve(host + ".log");
    return builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
  }

  private void awaitMaster() throws IOException {
    for (int i = 0; ; i++) {
      try {
        new Socket(InetAddress.getLoopbackAddress(), port).close();
        return;
      } catch (IOException e) {
        if (i == 600 || !master.isAlive()) {
          throw new IOException("the master does not answer: see " + folder, e);
        }
        LockSupport.parkNanos(100_000_000);
      }
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }
}
