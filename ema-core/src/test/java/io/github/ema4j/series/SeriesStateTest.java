package io.github.ema4j.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class SeriesStateTest {

  @ParameterizedTest
  @EnumSource(Kinds.class)
  void anAverageResumedAfterAnyValueGoesOnWithTheSameBits(Kinds kind) {
    for (NonFinite policy : List.of(NonFinite.SKIP, NonFinite.PROPAGATE)) {
      MovingAverage straight = kind.make().onNonFinite(policy);
      MovingAverage resumed = kind.make().onNonFinite(policy);
      double[] stream = Streams.SPIKES.values(41, 200);
      stream[70] = Double.NaN;
      for (double x : stream) {
        resumed = MovingAverage.ofJson(resumed.toJson());
        assertThat(Double.doubleToLongBits(resumed.add(x)))
            .isEqualTo(Double.doubleToLongBits(straight.add(x)));
        assertThat(resumed.toJson()).isEqualTo(straight.toJson());
      }
    }
  }

  @Test
  void aBandResumedAfterAnyValueGoesOnWithTheSameBits() {
    Band straight = Band.of(0.1, 3).onNonFinite(NonFinite.PROPAGATE);
    Band resumed = straight;
    for (double x : Streams.SPIKES.values(42, 200)) {
      resumed = Band.ofJson(resumed.toJson());
      assertThat(resumed.add(x)).isEqualTo(straight.add(x));
      assertThat(resumed.toJson()).isEqualTo(straight.toJson());
      assertThat(Double.doubleToLongBits(resumed.upper()))
          .isEqualTo(Double.doubleToLongBits(straight.upper()));
    }
  }

  @Test
  void theStateIsPlainJson() {
    MovingAverage average = MovingAverage.exponential(0.5);
    average.smooth(1, 2);

    assertThat(average.toJson())
        .isEqualTo(
            "{'type':'exponential','alpha':0.5,'mean':[1.5,0.0],'weight':0.5,".replace('\'', '"')
                + "'onNonFinite':'REFUSE','count':2,'skipped':0,'masked':0}".replace('\'', '"'));
  }

  @Test
  void numbersMayBeWrittenAsWholeOnes() {
    String json = MovingAverage.exponential(0.5).toJson().replace("0.0", "0");
    assertThat(MovingAverage.ofJson(json).add(3)).isEqualTo(3);
  }

  /** What stands left of the arrow in the state of a mean of two values is replaced. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'type':'simple'     | 'type':'sample'      | there is no average of type 'sample'",
        "'window':2          | 'window':0           | window must be in [1, 16777216], but was 0",
        "'window':2          | 'window':99999999    | 'window' must be in [0, 16777216], but is",
        "'window':2          | 'window':'2'         | 'window' is of another type",
        "'window':2          | 'window':2.5         | 'window' is of another type",
        "'filled':1          | 'filled':3           | 'filled' must be in [0, 2], but is 3",
        "'filled':1          | 'filled':-1          | 'filled' must be in [0, 2], but is -1",
        "'sum':[7.0,0.0]     | 'sum':[7.0]          | 'sum' must have 2 numbers, but has 1",
        "'sum':[7.0,0.0]     | 'sum':[7.0,1e999]    | 'sum' has Infinity",
        "'sum':[7.0,0.0]     | 'sum':[7.0,null]     | 'sum' must have numbers alone, but has null",
        "'sum':[7.0,0.0]     | 'sum':[7.0,[0.0]]    | 'sum' must have numbers alone, but has [",
        "'sum':[7.0,0.0]     | 'sum':null           | 'sum' has null",
        "'sumPosition':1     | 'sumPosition':2      | 'sumPosition' must be in [0, 1], but is 2",
        "'sumTotal':7.0      | 'sumTotal':-1e999    | 'sumTotal' has -Infinity",
        "'count':1           | 'count':1,'x':1      | no such average has [x]",
        "'count':1           | 'count':1,'count':1  | Duplicate field 'count'",
        "'count':1,          |                      | 'count' is missing",
        "'REFUSE'            | 'HIDE'               | 'onNonFinite' is 'HIDE'",
        "'masked':0}         | 'masked':0           | Unexpected end-of-input",
        "'masked':0}         | 'masked':0}{}        | something follows the end",
        "{                   | [                    | it must be a JSON object",
      })
  void malformedStatesAreOneError(String from, String to, String reason) {
    MovingAverage average = MovingAverage.simple(2);
    average.add(7);
    String good = average.toJson();
    String bad = good.replace(quoted(from), to == null ? "" : quoted(to));
    assertThat(bad).isNotEqualTo(good);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> MovingAverage.ofJson(bad))
        .withMessageContaining(reason);
  }

  private static String quoted(String text) {
    return text.replace('\'', '"');
  }

  @Test
  void malformedBandsAreOneError() {
    String good = Band.of(0.5, 3).toJson();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Band.ofJson(good.replace("\"alpha\":0.5", "\"alpha\":1.5")))
        .withMessage("alpha must be in (0, 1], but was 1.5");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Band.ofJson(good.replace("{", "{\"x\":1,")))
        .withMessage("malformed state: no such average has [x]");
  }
}
