package io.github.ema4j.testkit;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.collect.ImmutableList;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;

/**
 * A rule that a kit checks: a test method whose {@code @DisplayName} is an id and a sentence.
 *
 * @param id such as {@code EMA-U03}
 * @param sentence what holds
 */
public record Rule(String id, String sentence) {
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
        ? Optional.of(new Rule(matcher.group(1), matcher.group(2)))
        : Optional.empty();
  }
}
