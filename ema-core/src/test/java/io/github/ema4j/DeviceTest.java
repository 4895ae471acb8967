package io.github.ema4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceTest {

  @ParameterizedTest
  @CsvSource({
    "cpu, cpu, 0, cpu",
    "cpu:0, cpu, 0, cpu",
    "cuda, cuda, 0, cuda:0",
    "cuda:12, cuda, 12, cuda:12"
  })
  void readsWhatItWrites(String text, String type, int index, String written) {
    Device device = Device.parse(text);
    assertThat(device).isEqualTo(new Device(type, index)).hasToString(written);
    assertThat(Device.parse(device.toString())).isEqualTo(device);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "CUDA:0",
        "cuda:",
        "cuda:-1",
        "cuda:x",
        "cuda:0:1",
        "cuda:99999",
        " cpu",
        "gpu 0"
      })
  void refusesAnotherForm(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Device.parse(text))
        .withMessage("device must look like 'cpu' or 'cuda:0', but was '%s'", text);
  }

  @Test
  void onlyTheCpuIsHostMemory() {
    assertThat(Device.CPU.isCpu()).isTrue();
    assertThat(new Device("cuda", 0).isCpu()).isFalse();
  }

  @Test
  void refusesATypeThatIsNoLowerCaseWord() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Device("Cuda", 0))
        .withMessage("device type must be a lower-case word, but was 'Cuda'");
  }

  @Test
  void refusesANegativeIndex() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Device("cuda", -1))
        .withMessage("device index must not be negative, but was -1");
  }

  @Test
  void thereIsOneCpu() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Device("cpu", 1))
        .withMessage("there is one cpu, with index 0, but it was 1");
  }
}
