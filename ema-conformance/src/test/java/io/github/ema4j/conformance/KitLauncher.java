package io.github.ema4j.conformance;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/** Runs one kit in this JVM; what it finds is in its record. */
final class KitLauncher {

  private KitLauncher() {}

  public static void main(String[] arguments) {
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectClass(arguments[0]))
            .filters(TagFilter.excludeTags("full"))
            .build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, summary);
    System.out.printf("%d tests run%n", summary.getSummary().getTestsStartedCount());
    // Engines may leave threads behind that are no daemons.
    System.exit(summary.getSummary().getTestsFoundCount() > 0 ? 0 : 1);
  }
}
