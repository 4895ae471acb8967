package io.github.ema4j;

import static io.github.ema4j.Models.averaging;
import static io.github.ema4j.Models.dict;
import static io.github.ema4j.Models.floats;
import static io.github.ema4j.Models.model;
import static io.github.ema4j.Models.release;
import static io.github.ema4j.Models.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.github.ema4j.array.ArrayBackend;
import io.github.ema4j.array.ArrayTensor;
import org.junit.jupiter.api.Test;

class ModelEmaBuilderTest {

  @Test
  void theDefaultIsASlowConstantDecayByName() {
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = averaging().build(model)) {
      average.update(model);
      assertThat(average.progress().decay()).isEqualTo(0.9999);
    }
  }

  @Test
  void aConfigurationSaysEverythingAndLaterCallsChangeIt() {
    EmaConfig config =
        EmaConfig.defaults().withStrategy(EmaStrategy.ordered(0.25)).withShadowType(ShadowType.F64);
    StateDict<ArrayTensor> model = model("w", 0);
    try (var average = averaging().config(config).shadowType(ShadowType.F32).build(model)) {
      average.update(model("v", 4));
      assertThat(floats(average.state())).containsExactly(3);
    }
  }

  @Test
  void aModelWithoutEntriesIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().build(dict().build()))
        .withMessage("the model has no entries to average");
  }

  @Test
  void aPolicyThatSkipsEverythingIsRefused() {
    EntryPolicy policy = EntryPolicy.defaults().with(Role.PARAMETER, Treatment.SKIP);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().policy(policy).build(model("w", 1)))
        .withMessage("the policy %s skips every entry of the model", policy);
  }

  @Test
  void aDeviceThatTheBackendHasNotIsRefused() {
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> averaging().device(new Device("cuda", 0)).build(model("w", 1)))
        .withMessageContaining("cuda:0");
  }

  @Test
  void aModelWhoseTensorIsReleasedIsRefusedByName() {
    ArrayTensor weights = tensor(1);
    StateDict<ArrayTensor> model = dict().parameter("w", weights).build();
    release(weights);
    assertThatIllegalStateException()
        .isThrownBy(() -> averaging().build(model))
        .withMessage("'w' of the model: the tensor was released with the average that owned it");
  }

  @Test
  void theModuleComesFromOneSource() {
    StateDict<ArrayTensor> copy = model("w", 1);
    assertThatIllegalStateException()
        .isThrownBy(() -> averaging().module(copy).module(() -> copy))
        .withMessage("module was already set to a model");
    assertThatIllegalStateException()
        .isThrownBy(() -> averaging().module(() -> copy).module(copy))
        .withMessage("module was already set to a supplier");
  }

  @Test
  void stateDictsHaveUniqueNames() {
    StateDict.Builder<ArrayTensor> builder = dict().parameter("w", tensor(1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.statistic("w", tensor(2)))
        .withMessage("a state dict has one entry named 'w', but got two");
    assertThat(builder.build().entries()).hasSize(1);
  }

  @Test
  void stateDictsRefuseReleasedTensorsByName() {
    ArrayTensor weights = tensor(1);
    release(weights);
    assertThatIllegalStateException()
        .isThrownBy(() -> dict().parameter("w", weights))
        .withMessage("entry 'w': the tensor was released with the average that owned it");
  }

  @Test
  void stateDictsPassOnWhatABackendRefusesWithTheName() {
    HandleBackend.Handle nowhere = new HandleBackend.Handle(tensor(1), new Device("sparse", 0));
    StateDict.Builder<HandleBackend.Handle> builder = StateDict.builder(new HandleBackend());
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> builder.parameter("w", nowhere))
        .withMessage("entry 'w': nothing is known of sparse:0");
    assertThat(builder.build().entries()).isEmpty();
  }

  @Test
  void aBuiltStateDictDoesNotGrowWithItsBuilder() {
    StateDict.Builder<ArrayTensor> builder = dict().parameter("v", tensor(1));
    StateDict<ArrayTensor> built = builder.build();
    builder.parameter("w", tensor(2));
    assertThat(built.entries()).hasSize(1);
    assertThat(built.backend()).isSameAs(ArrayBackend.instance());
  }

  @Test
  void anEntryNamedByAPatternIsCopiedWhileOthersAreAveraged() {
    StateDict<ArrayTensor> model =
        dict().parameter("w", tensor(0)).parameter("sn.weight_u", tensor(0)).build();
    EntryPolicy policy =
        EntryPolicy.defaults().with(NamePattern.glob("*.weight_u"), Treatment.COPY);
    try (var average =
        averaging().policy(policy).strategy(EmaStrategy.nameMatched(0.5)).build(model)) {
      floats(model, "w")[0] = 1;
      floats(model, "sn.weight_u")[0] = 1;
      average.update(model);
      assertThat(floats(average.state(), "w")).containsExactly(0.5f);
      assertThat(floats(average.state(), "sn.weight_u")).containsExactly(1);
    }
  }

  @Test
  void aPatternThatMatchesNothingIsRefused() {
    EntryPolicy policy = EntryPolicy.defaults().with(NamePattern.glob("*.wieght"), Treatment.COPY);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> averaging().policy(policy).build(model("conv.weight", 1)))
        .withMessage(
            "the policy's glob '*.wieght' matches none of the model's 1 entries, whose names are"
                + " like 'conv.weight'; correct or remove it");
  }
}
