package io.github.ema4j.spark;

import java.io.IOException;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;

/** What Spark runs for each task. */
record ShardFunction(Broadcast<ShardJob> job) implements Function<ShardTask, WrittenShard> {

  @Override
  public WrittenShard call(ShardTask task) throws IOException {
    TaskContext context = TaskContext.get();
    Runnable goingOn =
        () -> {
          if (context.isInterrupted()) {
            throw new TaskKilledException("another attempt was faster, or the job has failed");
          }
        };
    return new ShardWriter(job.value(), task, context.taskAttemptId(), goingOn).write();
  }
}
