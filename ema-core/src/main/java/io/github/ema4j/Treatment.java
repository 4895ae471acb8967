package io.github.ema4j;

/** Says what an update does with an entry. */
public enum Treatment {
  /**
   * The entry decays towards the model's. An integer entry is averaged in float32 and truncated, as
   * timm's ModelEma and ModelEmaV2 do it; a counter then hardly moves.
   */
  AVERAGE,
  /** The entry takes the model's value at every update. */
  COPY,
  /**
   * The entry is no part of the average: it has no shadow memory, and swaps and copies leave the
   * model's own value in place. It still takes part in pairing.
   */
  SKIP
}
