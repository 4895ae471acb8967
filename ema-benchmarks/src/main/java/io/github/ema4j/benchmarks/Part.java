package io.github.ema4j.benchmarks;

/** A part of what is measured in a process. */
enum Part {
  /** Updates of float32 models of all shapes. */
  FLOAT32,
  /** Updates of bfloat16 models of all shapes, with a float32 average. */
  BFLOAT16,
  /** The two shapes of float32 that say most. */
  SHORT_FLOAT32,
  /** The one of bfloat16. */
  SHORT_BFLOAT16,
  /** A bank beside single updates. */
  BANK,
  /** A thousand million parameters beside a tenth of that. */
  LINEAR,
  /** The share of a step that an update takes, in a larger training and in the demo. */
  TRAINING
}
