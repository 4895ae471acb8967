package io.github.ema4j.testkit;

import com.google.common.primitives.ImmutableLongArray;
import io.github.ema4j.Device;
import io.github.ema4j.ElementType;
import io.github.ema4j.TensorSpec;
import io.github.ema4j.array.ArrayTensor;
import io.github.ema4j.spi.HostMemory;
import io.github.ema4j.spi.Storage;
import io.github.ema4j.testkit.toy.PlainToy;
import io.github.ema4j.testkit.toy.ToyAdapter;
import io.github.ema4j.testkit.toy.ToyBackend;
import io.github.ema4j.testkit.toy.ToySubject;
import io.github.ema4j.testkit.toy.ToyTensor;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Backends that are broken: what they say of tensors, how they open, allocate and free them. */
final class BackendMutants {

  private BackendMutants() {}

  static List<Mutant> all() {
    return List.of(
        whole(
            "opens copies of float32",
            "C01 C02 C04 C05 C06 C08 C09 C10 C11 C12 C15 C16 F01 F02 F03 G01 L01 L02 L03 L04 "
                + "L06 L07 L08 L09 L12 L13 L15 P01 P02 P03 P04 P06 P07 P08 P09 P10 S05 S06 S07 S12 "
                + "S15 S16 S23 T01 T02 T03 T04 U01 U02 U04 U05 U08 U09 U10 U13 U14 U15 U16 U17 U18 "
                + "U19 U20 U21 U22 U23 U24 U25 U26",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                return isFloat(tensor) && tensor.spec().elements() < 1 << 28
                    ? HostMemory.of(FloatBuffer.wrap(floats(tensor).clone()))
                    : super.memory(tensor);
              }
            }),
        whole(
            "opens scalars as copies",
            "C02 G01 S07 S12 U04 U05 U08 U09 U24 U25",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                return isFloat(tensor) && tensor.spec().shape().isEmpty()
                    ? HostMemory.of(FloatBuffer.wrap(floats(tensor).clone()))
                    : super.memory(tensor);
              }
            }),
        whole(
            "opens copies of large tensors",
            "U26",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                return tensor.spec().elements() > 1 << 20 && tensor.spec().elements() < 1 << 28
                    ? HostMemory.of(FloatBuffer.wrap(floats(tensor).clone()))
                    : super.memory(tensor);
              }
            }),
        whole(
            "opens float64 through float32",
            "G01 S06 S07 S12 U03 U08",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                if (tensor.spec().type() == ElementType.F64) {
                  double[] values = (double[]) tensor.array().array();
                  for (int i = 0; i < values.length; i++) {
                    values[i] = (float) values[i];
                  }
                }
                return super.memory(tensor);
              }
            }),
        whole(
            "opens only half of the elements",
            "C14 S06 S07",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                HostMemory memory = super.memory(tensor);
                if (isFloat(tensor) && tensor.spec().elements() == 40) {
                  Buffer half = memory.segmentAt(0).duplicate();
                  return HostMemory.of(half.limit(half.limit() / 2));
                }
                return memory;
              }
            }),
        whole(
            "opens buffers for reading alone",
            "C14 G01 S06 S07 S08 S12 S17 U03 U08",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                return tensor.spec().type() == ElementType.F64
                    ? HostMemory.of(
                        ((DoubleBuffer) super.memory(tensor).segmentAt(0)).asReadOnlyBuffer())
                    : super.memory(tensor);
              }
            }),
        whole(
            "opens buffers of the other byte order",
            "S08",
            new ToyBackend() {
              private final IdentityHashMap<ToyTensor, ByteBuffer> swapped =
                  new IdentityHashMap<>();

              @Override
              public HostMemory memory(ToyTensor tensor) {
                return tensor.spec().type() == ElementType.F64
                    ? HostMemory.of(
                        swapped
                            .computeIfAbsent(
                                tensor, key -> ByteBuffer.allocate(8 * (int) key.spec().elements()))
                            .order(
                                ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
                                    ? ByteOrder.LITTLE_ENDIAN
                                    : ByteOrder.BIG_ENDIAN)
                            .asDoubleBuffer())
                    : super.memory(tensor);
              }
            }),
        whole(
            "allocates for each opening as much as the tensor has",
            "T04",
            new ToyBackend() {
              @SuppressWarnings("unused")
              private byte[] copy = {};

              @Override
              public HostMemory memory(ToyTensor tensor) {
                HostMemory memory = super.memory(tensor);
                if (memory.elements() < 1 << 28) {
                  copy = new byte[4 * (int) memory.elements()];
                }
                return memory;
              }
            }),
        whole(
            "keeps the memory of a tensor of the same shape",
            "T03 U01 U02",
            new ToyBackend() {
              private final Map<ImmutableLongArray, HostMemory> kept = new HashMap<>();

              @Override
              public HostMemory memory(ToyTensor tensor) {
                return isFloat(tensor) && tensor.spec().elements() == 7
                    ? kept.computeIfAbsent(tensor.spec().shape(), key -> super.memory(tensor))
                    : super.memory(tensor);
              }
            }),
        whole(
            "opens tensors on one thread alone",
            "T01 T03",
            new ToyBackend() {
              private final Thread owner = Thread.currentThread();

              @Override
              public HostMemory memory(ToyTensor tensor) {
                if (Thread.currentThread() != owner) {
                  throw new UnsupportedOperationException("another thread");
                }
                return super.memory(tensor);
              }
            }),
        whole(
            "leaves memory behind at each opening",
            "T05 T06",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                count(tensor.spec().elements());
                return super.memory(tensor);
              }
            }),
        whole(
            "says bfloat16 of float16",
            "S03 S12 S17 U04 U06",
            new ToyBackend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                TensorSpec spec = super.describe(tensor);
                return spec.type() == ElementType.F16 ? spec.withType(ElementType.BF16) : spec;
              }
            }),
        whole(
            "says float16 of bfloat16",
            "G01 S03 S12 S17 U05 U07",
            new ToyBackend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                TensorSpec spec = super.describe(tensor);
                return spec.type() == ElementType.BF16 ? spec.withType(ElementType.F16) : spec;
              }
            }),
        whole(
            "says sizes backwards",
            "C02 C08 S03 S12 S17 U04 U05 U06 U07 U08 U09 U10",
            new ToyBackend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                TensorSpec spec = super.describe(tensor);
                long[] sizes = spec.shape().toArray();
                if (sizes.length != 3) {
                  return spec;
                }
                long last = sizes[2];
                sizes[2] = sizes[0];
                sizes[0] = last;
                return TensorSpec.contiguous(spec.type(), sizes).withDevice(spec.device());
              }
            }),
        whole(
            "says row-major of all tensors",
            "S17",
            new ToyBackend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                return super.describe(tensor).withRowMajorStrides();
              }
            }),
        whole(
            "says stride 1 of all sizes",
            "C02 G01 S07 S09 S12 U04 U05 U06 U07 U08 U09 U24 U25",
            new ToyBackend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                TensorSpec spec = super.describe(tensor);
                long[] ones = new long[spec.shape().length()];
                java.util.Arrays.fill(ones, 1);
                return spec.shape().length() == 4
                    ? new TensorSpec(
                        spec.type(), spec.shape(), ImmutableLongArray.copyOf(ones), spec.device())
                    : spec;
              }
            }),
        whole(
            "says that storage is twice as long",
            "S09",
            new ToyBackend() {
              @Override
              public Storage storage(ToyTensor tensor) {
                Storage storage = super.storage(tensor);
                return new Storage(storage.space(), storage.begin(), 2 * storage.bytes());
              }
            }),
        whole(
            "says one storage of all tensors of a shape",
            "C01 C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C15 C16 F01 F02 F03 G01 L01 L02 "
                + "L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L16 P01 P02 P03 P04 P06 P07 P08 "
                + "P09 P10 P11 S10 T01 T02 U09 U10 U13 U14 U15 U17 U18 U20 U21 U22 U23",
            new ToyBackend() {
              @Override
              public Storage storage(ToyTensor tensor) {
                Storage storage = super.storage(tensor);
                return isFloat(tensor) && tensor.spec().shape().length() == 2
                    ? new Storage(tensor.spec().shape().toString().intern(), 0, storage.bytes())
                    : storage;
              }
            }),
        whole(
            "says another storage each time",
            "C13 P12 S09 S11",
            new ToyBackend() {
              @Override
              public Storage storage(ToyTensor tensor) {
                Storage storage = super.storage(tensor);
                return new Storage(new Object(), storage.begin(), storage.bytes());
              }
            }),
        whole(
            "allocates row-major whatever is asked for",
            "S17",
            new ToyBackend() {
              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return super.allocate(spec.withRowMajorStrides());
              }
            }),
        whole(
            "allocates float32 for float64",
            "G01 S12 S17 U03 U08",
            new ToyBackend() {
              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return super.allocate(
                    spec.type() == ElementType.F64 ? spec.withType(ElementType.F32) : spec);
              }
            }),
        whole(
            "allocates one tensor for all of a shape",
            "C01 C03 C04 C05 C06 C07 C09 C10 C11 C12 C15 C16 F01 F02 F03 G01 L01 L02 L03 L04 "
                + "L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 P01 P02 P03 P04 P06 P07 P08 P09 "
                + "P10 P11 S23 T01 T03 U01 U02 U14 U15 U19 U20 U21 U22 U23",
            new ToyBackend() {
              private final Map<TensorSpec, ToyTensor> pool = new HashMap<>();

              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return isFloat(spec) && spec.elements() == 8
                    ? pool.computeIfAbsent(spec, super::allocate)
                    : super.allocate(spec);
              }
            }),
        whole(
            "takes every device for the host",
            "L16 S20",
            new ToyBackend() {
              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return super.allocate(
                    spec.device().equals(FAR) ? spec : spec.withDevice(Device.CPU));
              }
            }),
        whole(
            "opens large tensors in segments that are one",
            "S22",
            new ToyBackend() {
              @Override
              public HostMemory memory(ToyTensor tensor) {
                HostMemory memory = super.memory(tensor);
                return memory.elements() < 1 << 28
                    ? memory
                    : HostMemory.ofSegments(
                        memory.segmentAt(0),
                        memory.segmentAt(0),
                        memory.segmentAt(memory.elements() - 1));
              }
            }),
        whole(
            "frees nothing",
            "C12 L08 L12 L15 S13 T05 T06",
            new ToyBackend() {
              @Override
              public void release(List<ToyTensor> tensors) {
                // forgotten
              }
            }),
        whole(
            "counts nothing as freed",
            "T05 T06",
            new ToyBackend() {
              @Override
              public void release(List<ToyTensor> tensors) {
                super.release(tensors);
                tensors.forEach(tensor -> count(4L << 17));
              }
            }),
        whole(
            "runs work without gradients on another thread",
            "S25 U21",
            new ToyBackend() {
              @Override
              public void withoutGradient(Runnable work) {
                Thread thread = new Thread(work);
                thread.setUncaughtExceptionHandler((where, failure) -> {});
                thread.start();
                com.google.common.util.concurrent.Uninterruptibles.joinUninterruptibly(thread);
              }
            }),
        whole(
            "hides what fails without gradients",
            "S25 U21",
            new ToyBackend() {
              @Override
              public void withoutGradient(Runnable work) {
                try {
                  work.run();
                } catch (RuntimeException e) {
                  // hidden
                }
              }
            }),
        whole(
            "moves averages on the device the wrong way",
            "U24 U25",
            new ToyBackend() {
              @Override
              public void lerp(List<ToyTensor> averages, List<ToyTensor> models, double weight) {
                super.lerp(averages, models, 1 - weight);
              }
            }),
        whole(
            "rounds weights on the device to bfloat16",
            "U24 U25",
            new ToyBackend() {
              @Override
              public void weightedSum(
                  List<ToyTensor> averages,
                  List<ToyTensor> models,
                  double averageFactor,
                  double modelFactor) {
                super.weightedSum(
                    averages,
                    models,
                    averageFactor,
                    Math.scalb(Math.rint(Math.scalb(modelFactor, 8)), -8));
              }
            }),
        plain(
            "takes views for row-major",
            "S18",
            new PlainToy.Backend() {
              @Override
              public TensorSpec describe(ToyTensor tensor) {
                return tensor.spec().withRowMajorStrides();
              }
            }),
        plain(
            "allocates float32 for every type that it has not",
            "S19",
            new PlainToy.Backend() {
              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return super.allocate(
                    spec.type() == ElementType.I64 ? spec : spec.withType(ElementType.F32));
              }
            }),
        plain(
            "cuts sizes to 31 bits",
            "S21",
            new PlainToy.Backend() {
              @Override
              protected ToyTensor allocate(TensorSpec spec) {
                return super.allocate(
                    spec.elements() > Integer.MAX_VALUE
                        ? TensorSpec.contiguous(spec.type(), (int) spec.elements() & 0xff)
                        : spec);
              }
            }));
  }

  private static Mutant whole(String name, String foundBy, ToyBackend backend) {
    return new Mutant("backend " + name, foundBy, new ToySubject(new ToyAdapter(backend)));
  }

  private static Mutant plain(String name, String foundBy, ToyBackend backend) {
    return new Mutant(
        "plain backend " + name, foundBy, new PlainToy.Subject(new PlainToy.Adapter(backend)));
  }

  private static boolean isFloat(ToyTensor tensor) {
    return isFloat(tensor.spec());
  }

  private static boolean isFloat(TensorSpec spec) {
    return spec.type() == ElementType.F32 && spec.device().isCpu();
  }

  private static float[] floats(ToyTensor tensor) {
    ArrayTensor array = tensor.array();
    return (float[]) array.array();
  }
}
