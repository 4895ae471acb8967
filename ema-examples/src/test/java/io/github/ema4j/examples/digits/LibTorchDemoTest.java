package io.github.ema4j.examples.digits;

class LibTorchDemoTest extends DemoBackendTest {

  @Override
  String backend() {
    return "torch";
  }
}
