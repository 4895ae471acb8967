package io.github.ema4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectNestedMethod;

import io.github.ema4j.testkit.toy.PlainToy;
import io.github.ema4j.testkit.toy.ToyAdapter;
import io.github.ema4j.testkit.toy.ToyBackend;
import io.github.ema4j.testkit.toy.ToyKit;
import io.github.ema4j.testkit.toy.ToyModel;
import io.github.ema4j.testkit.toy.ToySubject;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.lang.reflect.Method;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/** Breaks each part of a framework, and sees that the kits find just what they should. */
class MutantsTest {
  private static final DiscoverySelector ALL = selectClass(ToyKit.class);
  private static final Pattern ID = Pattern.compile("EMA-[A-Z]\\d\\d");

  @Test
  void aFrameworkThatIsWholePassesAllRules() {
    assertThat(failing(new ToySubject(new ToyAdapter(new ToyBackend())), ALL)).isEmpty();
  }

  @Test
  void aPlainFrameworkThatRefusesTheRestPassesAllRules() {
    assertThat(failing(new PlainToy.Subject(new PlainToy.Adapter(new PlainToy.Backend())), ALL))
        .isEmpty();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("rules")
  void eachRuleFindsTheMutantThatFewestRulesFind(String rule) {
    Mutant mutant =
        Mutants.all().stream()
            .filter(each -> each.foundBy().contains(rule))
            .min(Comparator.comparingInt(each -> each.foundBy().size()))
            .orElseThrow(() -> new AssertionError("no mutant declares that " + rule + " finds it"));

    assertThat(failing(mutant.subject(), selector(rule))).containsExactly(rule);
  }

  @Tag("full")
  @ParameterizedTest(name = "{0}")
  @MethodSource("mutants")
  void eachMutantIsFoundByJustTheRulesThatItDeclares(Mutant mutant) {
    assertThat(failing(mutant.subject(), ALL)).isEqualTo(new TreeSet<>(mutant.foundBy()));
  }

  @Test
  void eachMutantIsDeclaredToBeFound() {
    assertThat(Mutants.all()).hasSizeGreaterThan(80).noneMatch(each -> each.foundBy().isEmpty());
  }

  static List<String> rules() {
    return Rule.all().stream().map(Rule::id).toList();
  }

  static List<Mutant> mutants() {
    return Mutants.all();
  }

  private static DiscoverySelector selector(String rule) {
    for (Class<?> nested : ConformanceKit.class.getDeclaredClasses()) {
      for (Method method : nested.getSuperclass().getDeclaredMethods()) {
        DisplayName name = method.getAnnotation(DisplayName.class);
        if (name != null && name.value().startsWith(rule)) {
          return selectNestedMethod(List.of(ToyKit.class), nested, method);
        }
      }
    }
    throw new AssertionError("no kit has " + rule);
  }

  private static Set<String> failing(
      BackendUnderTest<ToyModel, ToyTensor> subject, DiscoverySelector selector) {
    ToyKit.use(subject);
    return EngineTestKit.engine("junit-jupiter")
        .selectors(selector)
        .configurationParameter("ema.records.dir", "")
        .execute()
        .allEvents()
        .failed()
        .stream()
        .map(Event::getTestDescriptor)
        .map(MutantsTest::ruleId)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** A run of a rule with one of several values is a child of the rule. */
  private static String ruleId(TestDescriptor test) {
    return Stream.iterate(test, each -> each != null, each -> each.getParent().orElse(null))
        .map(each -> ID.matcher(each.getDisplayName()))
        .filter(Matcher::lookingAt)
        .map(Matcher::group)
        .findFirst()
        .orElse(test.getDisplayName());
  }
}
