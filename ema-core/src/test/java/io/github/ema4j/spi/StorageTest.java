package io.github.ema4j.spi;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class StorageTest {

  private final Object space = new Object();

  @Test
  void theSameStretchIsTheSame() {
    assertThat(storage(4, 8).isSameAs(storage(4, 8))).isTrue();
    assertThat(storage(4, 8).overlaps(storage(4, 8))).isTrue();
    assertThat(storage(4, 8).isSameAs(storage(4, 7))).isFalse();
    assertThat(storage(4, 8).isSameAs(storage(5, 8))).isFalse();
  }

  @Test
  void aByteInCommonIsAnOverlapOnEitherSide() {
    assertThat(storage(0, 5).overlaps(storage(4, 8))).isTrue();
    assertThat(storage(4, 8).overlaps(storage(0, 5))).isTrue();
    assertThat(storage(0, 4).overlaps(storage(4, 8))).isFalse();
    assertThat(storage(4, 8).overlaps(storage(0, 4))).isFalse();
  }

  @Test
  void emptyStretchesShareNothing() {
    assertThat(storage(4, 0).isSameAs(storage(4, 0))).isFalse();
    assertThat(storage(4, 0).overlaps(storage(0, 8))).isFalse();
    assertThat(storage(0, 8).overlaps(storage(4, 0))).isFalse();
  }

  @Test
  void equalSpacesAreNotTheSameSpace() {
    Storage one = new Storage(List.of("a").stream().toList(), 0, 4);
    Storage other = new Storage(List.of("a").stream().toList(), 0, 4);
    assertThat(one.isSameAs(other)).isFalse();
    assertThat(one.overlaps(other)).isFalse();
  }

  private Storage storage(long begin, long bytes) {
    return new Storage(space, begin, bytes);
  }
}
