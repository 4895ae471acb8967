package io.github.ema4j.examples.digits;

class DjlDemoTest extends DemoBackendTest {

  @Override
  String backend() {
    return "djl";
  }
}
