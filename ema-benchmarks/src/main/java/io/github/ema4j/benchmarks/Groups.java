package io.github.ema4j.benchmarks;

import static io.github.ema4j.EmaStrategy.ordered;

import io.github.ema4j.DecaySchedule;
import io.github.ema4j.ElementType;
import io.github.ema4j.EmaBank;
import io.github.ema4j.ModelEma;
import io.github.ema4j.benchmarks.Framework.Peer;
import io.github.ema4j.spi.TensorBackend;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Makes the groups of updates on one framework.
 *
 * @param <M> its model type
 * @param <T> its tensor type
 */
final class Groups<M, T> {
  private static final double DECAY = 0.9999;

  private final Framework<M, T> framework;
  private final TensorBackend<T> backend;
  private final boolean quick;

  /** A model, its tensors, the memory of each, and how often it moved. */
  private record Subject<M, T>(
      ModelShape shape,
      ElementType type,
      List<T> tensors,
      List<Buffer> memory,
      M model,
      AtomicInteger moves) {

    /** Does what the canary looks for. */
    void move() {
      Values.nudge(memory.get(0), 0, moves.getAndIncrement());
    }

    /** Returns how much memory an update must at least read and write. */
    long bytes() {
      return shape.parameters() * (2L * Float.BYTES + type.bytes());
    }
  }

  /**
   * Prepares to make groups.
   *
   * @param quick whether of all models only the beginning is taken
   */
  Groups(Framework<M, T> framework, boolean quick) {
    this.framework = framework;
    this.backend = framework.adapter().backend();
    this.quick = quick;
  }

  /**
   * Returns updates of one average, by ema4j and by the framework itself, beside the references.
   */
  Group updates(ModelShape shape, ElementType type) {
    PeerCheck.run(framework, type);
    Group group = Group.ofUpdates(Names.updates(shape, type));
    Subject<M, T> subject = subject(group, shape, type);
    References references = references(group, subject);
    for (int threads : Threads.all()) {
      group.add(references.memcpy(Names.MEMCPY, threads));
    }
    references.streams(Threads.all()).forEach(group::add);
    for (Kernel kernel : Kernel.available()) {
      for (int threads : Threads.all()) {
        for (Checks checks : Checks.values()) {
          group.add(update(group, Names.update(kernel, checks), subject, kernel, threads, checks));
        }
      }
    }
    List<T> averages = subject.shape.tensors(backend, ElementType.F32, 2);
    group.own(() -> backend.release(averages));
    framework
        .peers(type)
        .forEach(
            (name, peer) ->
                Threads.upTo(framework.mostThreads())
                    .forEach(threads -> group.add(peer(name, peer, averages, subject, threads))));
    return group;
  }

  /** Returns updates of four averages of one model, in a bank and one by one. */
  Group bank() {
    Group group = Group.ofUpdates(Names.BANKS);
    Subject<M, T> subject = subject(group, ModelShape.resNet50(), ElementType.F32);
    for (Kernel kernel : Kernel.available()) {
      for (int threads : Threads.all()) {
        group.add(bank(group, subject, kernel, threads));
        group.add(singles(group, subject, kernel, threads));
      }
    }
    return group;
  }

  /** Returns updates and copies of 100 and of 1,000 million parameters, in tensors of a million. */
  Group linear() {
    Group group = Group.ofUpdates(Names.LINEAR);
    Kernel kernel = Kernel.fastest(); // there is not memory for all
    for (int millions : new int[] {100, 1_000}) {
      ModelShape shape = ModelShape.equal("linear", millions, 1_000_000);
      Subject<M, T> subject = subject(group, shape, ElementType.F32);
      String name = Names.linear(Names.update(kernel, Checks.CANARY), millions);
      group.add(update(group, name, subject, kernel, 1, Checks.CANARY));
      group.add(references(group, subject).memcpy(Names.linear(Names.MEMCPY, millions), 1));
    }
    return group;
  }

  private Subject<M, T> subject(Group group, ModelShape whole, ElementType type) {
    ModelShape shape = quick ? whole.shortened() : whole;
    List<T> tensors = shape.tensors(backend, type, 1);
    M model = framework.model(tensors);
    group.own(() -> framework.adapter().releaseCopy(model));
    return new Subject<>(
        shape,
        type,
        tensors,
        tensors.stream().map(this::memory).toList(),
        model,
        new AtomicInteger());
  }

  private Buffer memory(T tensor) {
    Buffer buffer = backend.memory(tensor).segmentAt(0);
    int elements = Math.toIntExact(backend.describe(tensor).elements());
    return buffer instanceof FloatBuffer floats
        ? floats.slice(floats.position(), elements)
        : ((ShortBuffer) buffer).slice(buffer.position(), elements);
  }

  private References references(Group group, Subject<M, T> subject) {
    References references = new References(subject.memory, subject.type);
    group.own(references::close);
    return references;
  }

  private Contender update(
      Group group, String name, Subject<M, T> subject, Kernel kernel, int threads, Checks checks) {
    ModelEma<M> ema = average(group, subject, kernel, threads, checks);
    return new Contender(
        name,
        threads,
        subject.shape.parameters(),
        subject.bytes(),
        () -> {
          subject.move();
          ema.update(subject.model);
        });
  }

  private ModelEma<M> average(
      Group group, Subject<M, T> subject, Kernel kernel, int threads, Checks checks) {
    ModelEma<M> ema =
        kernel.with(
            threads,
            () ->
                ModelEma.builder(framework.adapter())
                    .config(checks.config().withStrategy(ordered(DECAY)))
                    .build(subject.model));
    group.own(ema::close);
    return ema;
  }

  private Contender peer(
      String name, Peer<T> peer, List<T> averages, Subject<M, T> subject, int threads) {
    return new Contender(
        name,
        threads,
        subject.shape.parameters(),
        subject.bytes(),
        () -> peer.update(averages, subject.tensors, DECAY));
  }

  private Contender bank(Group group, Subject<M, T> subject, Kernel kernel, int threads) {
    EmaBank<M> bank =
        kernel.with(
            threads,
            () -> {
              EmaBank.Builder<M> builder =
                  EmaBank.builder(framework.adapter()).config(Checks.CANARY.config());
              for (int i = 0; i < Names.MEMBERS; i++) {
                builder.average("average" + i, DecaySchedule.constant(DECAY));
              }
              return builder.build(subject.model);
            });
    group.own(bank::close);
    return new Contender(
        Names.bank(kernel),
        threads,
        subject.shape.parameters(),
        subject.shape.parameters() * Float.BYTES * (1 + 2 * Names.MEMBERS),
        () -> {
          subject.move();
          bank.update(subject.model);
        });
  }

  private Contender singles(Group group, Subject<M, T> subject, Kernel kernel, int threads) {
    List<ModelEma<M>> averages = new ArrayList<>();
    for (int i = 0; i < Names.MEMBERS; i++) {
      averages.add(average(group, subject, kernel, threads, Checks.CANARY));
    }
    return new Contender(
        Names.singles(kernel),
        threads,
        subject.shape.parameters(),
        subject.bytes() * Names.MEMBERS,
        () -> {
          subject.move();
          averages.forEach(average -> average.update(subject.model));
        });
  }
}
