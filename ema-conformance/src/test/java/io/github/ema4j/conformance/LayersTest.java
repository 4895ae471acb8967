package io.github.ema4j.conformance;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.equivalentTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.github.ema4j.AveragingRule;
import io.github.ema4j.DecaySchedule;
import io.github.ema4j.EmaConfig;
import io.github.ema4j.EmaStrategy;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.NullMarked;

@AnalyzeClasses(packages = "io.github.ema4j", importOptions = DoNotIncludeTests.class)
class LayersTest {
  private static final String ROOT = "io.github.ema4j";
  private static final String[] CORE = {
    ROOT,
    ROOT + ".spi",
    ROOT + ".array",
    ROOT + ".schedule",
    ROOT + ".posthoc",
    ROOT + ".checkpoint",
    ROOT + ".merge",
    ROOT + ".series",
    ROOT + ".internal"
  };
  private static final String[] ADAPTERS = {ROOT + ".djl..", ROOT + ".dl4j..", ROOT + ".torch.."};
  private static final String[] WATCHING = {ROOT + ".micrometer..", ROOT + ".report.."};
  private static final String SPARK = ROOT + ".spark..";
  private static final String CLI = ROOT + ".cli..";
  private static final String[] FRAMEWORKS = {
    "ai.djl..", "org.nd4j..", "org.deeplearning4j..", "org.bytedeco.."
  };
  private static final String TESTKIT = ROOT + ".testkit..";
  private static final String EXAMPLES = ROOT + ".examples..";

  @ArchTest
  static final ArchRule coreKnowsNoFramework =
      noClasses()
          .that()
          .resideInAnyPackage(CORE)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(FRAMEWORKS);

  @ArchTest
  static final ArchRule coreDependsOnNoOtherModule =
      noClasses()
          .that()
          .resideInAnyPackage(CORE)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(ADAPTERS)
          .orShould()
          .dependOnClassesThat()
          .resideInAnyPackage(WATCHING)
          .orShould()
          .dependOnClassesThat()
          .resideInAnyPackage(SPARK, CLI, TESTKIT, EXAMPLES);

  @ArchTest
  static final ArchRule whatWatchesAveragesOrTakesCheckpointsKnowsNoFrameworkAndNoAdapter =
      noClasses()
          .that()
          .resideInAnyPackage(SPARK, CLI)
          .or()
          .resideInAnyPackage(WATCHING)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(FRAMEWORKS)
          .orShould()
          .dependOnClassesThat()
          .resideInAnyPackage(ADAPTERS)
          .orShould()
          .dependOnClassesThat()
          .resideInAnyPackage(TESTKIT, EXAMPLES);

  @ArchTest
  static final ArchRule seriesKnowNoWeights =
      noClasses()
          .that()
          .resideInAPackage(ROOT + ".series")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(ROOT, ROOT + ".spi", ROOT + ".schedule", ROOT + ".checkpoint");

  @ArchTest
  static final ArchRule internalIsUsedByCoreAlone =
      noClasses()
          .that()
          .resideOutsideOfPackages(CORE)
          .should()
          .dependOnClassesThat()
          .resideInAPackage(ROOT + ".internal..");

  @ArchTest
  static final ArchRule spiAndBackendsKnowNoEngine =
      noClasses()
          .that()
          .resideInAnyPackage(ROOT + ".spi", ROOT + ".array")
          .should()
          .dependOnClassesThat()
          .resideInAPackage(ROOT + ".internal..");

  @ArchTest
  static final ArchRule adaptersKnowNoDecay =
      noClasses()
          .that()
          .resideInAnyPackage(ADAPTERS)
          .should()
          .dependOnClassesThat()
          .belongToAnyOf(
              DecaySchedule.class, EmaStrategy.class, AveragingRule.class, EmaConfig.class)
          .orShould()
          .dependOnClassesThat()
          .resideInAPackage(ROOT + ".schedule..");

  @ArchTest
  static final ArchRule adaptersDependOnNeitherTestkitNorExamples =
      noClasses()
          .that()
          .resideInAnyPackage(ADAPTERS)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(TESTKIT, EXAMPLES);

  @ArchTest
  static final ArchRule testkitKnowsNoAdapter =
      noClasses()
          .that()
          .resideInAPackage(TESTKIT)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(ADAPTERS)
          .orShould()
          .dependOnClassesThat()
          .resideInAPackage(EXAMPLES);

  /** {@code Math.pow} and its kin may differ in the last bit from one JVM to another. */
  @ArchTest
  static final ArchRule coreComputesAlikeOnEveryMachine =
      noClasses()
          .that()
          .resideInAnyPackage(CORE)
          .should()
          .callMethodWhere(
              target(owner(equivalentTo(Math.class)))
                  .and(target(nameMatching("pow|exp|log|expm1|log1p|sin|cos|cbrt"))));

  @ArchTest
  static final ArchRule nothingIsSerialisedByJava =
      noClasses()
          .should()
          .dependOnClassesThat()
          .belongToAnyOf(ObjectInputStream.class, ObjectOutputStream.class);

  @ArchTest
  static final ArchRule librariesPrintNothing =
      noClasses()
          .that()
          .resideOutsideOfPackages(EXAMPLES, TESTKIT)
          .should()
          .accessField(System.class, "out")
          .orShould()
          .accessField(System.class, "err");

  @ArchTest
  static void everyPackageIsNullMarked(JavaClasses classes) {
    Set<String> unmarked = new TreeSet<>();
    for (JavaClass each : classes) {
      JavaPackage itsPackage = each.getPackage();
      if (!itsPackage.isAnnotatedWith(NullMarked.class)) {
        unmarked.add(itsPackage.getName());
      }
    }
    assertThat(unmarked).isEmpty();
    assertThat(classes.containPackage(ROOT + ".internal")).isTrue();
  }
}
