package io.github.ema4j.examples.digits;

class Dl4jDemoTest extends DemoBackendTest {

  @Override
  String backend() {
    return "dl4j";
  }
}
