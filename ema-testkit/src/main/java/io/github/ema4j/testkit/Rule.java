package io.github.ema4j.testkit;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;

/**
 * A rule that a kit checks: a test method whose {@code @DisplayName} is an id and a sentence.
 *
 * @param id such as {@code EMA-U03}
 * @param sentence what holds
 * @param needs the capability that the rule is about, if it is about one
 * @param lacks the capability whose absence it checks, if it does
 * @param full whether it takes so much time or memory that it is tagged {@code full}
 */
public record Rule(
    String id,
    String sentence,
    Optional<Capability> needs,
    Optional<Capability> lacks,
    boolean full) {
  private static final Pattern FORM = Pattern.compile("(EMA-[A-Z]\\d\\d) (.+)");

  /** Returns all rules of all kits, by id. */
  public static List<Rule> all() {
    return ConformanceKit.kits().stream()
        .flatMap(kit -> Arrays.stream(kit.getDeclaredMethods()))
        .map(Rule::declaredBy)
        .flatMap(Optional::stream)
        .sorted(Comparator.comparing(Rule::id))
        .collect(ImmutableList.toImmutableList());
  }

  /** Tells whether the rule holds for every backend, whatever it declares. */
  public boolean isMandatory() {
    return needs.isEmpty() && lacks.isEmpty();
  }

  /** Returns why a backend that declares these capabilities is not held to the rule, if so. */
  Optional<String> reasonToSkip(Set<Capability> declared) {
    return needs
        .filter(capability -> !declared.contains(capability))
        .map(capability -> "has not declared " + capability)
        .or(
            () ->
                lacks
                    .filter(declared::contains)
                    .map(capability -> "has " + capability + ", so need not refuse it"));
  }

  /** Returns the rule that a test method checks, which may override a kit's. */
  static Rule of(Method method) {
    Optional<Rule> rule =
        Stream.<Class<?>>iterate(
                method.getDeclaringClass(), type -> type != null, Class::getSuperclass)
            .flatMap(type -> Arrays.stream(type.getDeclaredMethods()))
            .filter(
                candidate ->
                    candidate.getName().equals(method.getName())
                        && Arrays.equals(candidate.getParameterTypes(), method.getParameterTypes()))
            .map(Rule::declaredBy)
            .flatMap(Optional::stream)
            .findFirst();
    checkArgument(rule.isPresent(), "%s has no @DisplayName with the id of a rule", method);
    return rule.get();
  }

  private static Optional<Rule> declaredBy(Method method) {
    DisplayName name = method.getAnnotation(DisplayName.class);
    Matcher matcher = FORM.matcher(name == null ? "" : name.value());
    return matcher.matches()
        ? Optional.of(
            new Rule(
                matcher.group(1),
                matcher.group(2),
                Optional.ofNullable(method.getAnnotation(Needs.class)).map(Needs::value),
                Optional.ofNullable(method.getAnnotation(Lacks.class)).map(Lacks::value),
                Arrays.stream(method.getAnnotationsByType(Tag.class))
                    .anyMatch(tag -> tag.value().equals("full"))))
        : Optional.empty();
  }
}
