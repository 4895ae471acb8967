package io.github.ema4j.benchmarks;

import com.google.common.collect.ImmutableList;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** Contenders that are measured in turns, and what is freed after them. */
final class Group implements AutoCloseable {
  private final String name;
  private final boolean training;
  private final List<Contender> contenders = new ArrayList<>();
  private final Deque<Runnable> owned = new ArrayDeque<>();

  private Group(String name, boolean training) {
    this.name = name;
    this.training = training;
  }

  /** Starts a group whose contenders do not depend on each other. */
  static Group ofUpdates(String name) {
    return new Group(name, false);
  }

  /** Starts a group whose contenders are parts of a training, each done once, in their order. */
  static Group ofTraining(String name) {
    return new Group(name, true);
  }

  String name() {
    return name;
  }

  boolean isTraining() {
    return training;
  }

  ImmutableList<Contender> contenders() {
    return ImmutableList.copyOf(contenders);
  }

  void add(Contender contender) {
    contenders.add(contender);
  }

  /** Frees something with this group, before what it already owns. */
  void own(Runnable free) {
    owned.push(free);
  }

  @Override
  public void close() {
    contenders.clear();
    owned.forEach(Runnable::run);
    owned.clear();
  }
}
