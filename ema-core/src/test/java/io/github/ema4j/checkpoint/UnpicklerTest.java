package io.github.ema4j.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pickles are written here by hand: each character is a byte, opcodes as pickletools has them. */
class UnpicklerTest {
  /** A storage of eight floats under the key "0", as a persistent id. */
  private static final String STORAGE = "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\10tQ";

  private static final String REBUILD = "ctorch._utils\n_rebuild_tensor_v2\n";

  private static Object read(String pickle, String... ignored) {
    return pickle(pickle, ignored).root();
  }

  private static List<Object> items(String pickle) {
    return ((PyTuple) read(pickle)).items();
  }

  private static PthPickle pickle(String pickle, String... ignored) {
    byte[] bytes = pickle.getBytes(StandardCharsets.ISO_8859_1);
    FileBytes file = FileBytes.of(Path.of("test.pkl"), ByteBuffer.wrap(bytes));
    return PthPickle.read(file, "pickle", file.slice(0, bytes.length), Set.of(ignored));
  }

  @Test
  void scalarsAreRead() {
    assertThat(read("N.")).isEqualTo(PyNone.NONE);
    assertThat(read("\u0088.")).isEqualTo(true);
    assertThat(read("\u0089.")).isEqualTo(false);
    assertThat(read("K\u00ff.")).isEqualTo(255L);
    assertThat(read("M\u00ff\u00ff.")).isEqualTo(65535L);
    assertThat(read("J\u00ff\u00ff\u00ff\u00ff.")).isEqualTo(-1L);
    assertThat(read("\u008a\0.")).isEqualTo(0L);
    assertThat(read("\u008a\1\u00fe.")).isEqualTo(-2L);
    assertThat(read("\u008a\10\0\0\0\0\0\0\0\u0080.")).isEqualTo(Long.MIN_VALUE);
    assertThat(read("\u008a\t\0\0\0\0\0\0\0\u0080\0.")).isEqualTo(BigInteger.TWO.pow(63));
    assertThat(read("G?\u00f0\0\0\0\0\0\0.")).isEqualTo(1.0);
    assertThat(read("U\2ab.")).isEqualTo("ab");
    assertThat(read("T\2\0\0\0ab.")).isEqualTo("ab");
    assertThat(read("X\2\0\0\0\u00c3\u00bc.")).isEqualTo("\u00fc");
    assertThat(read("\u008c\1x.")).isEqualTo("x");
    assertThat(read("C\2\0\1.")).isEqualTo(new PyUnread("bytes"));
    assertThat(read("B\2\0\0\0\0\1.")).isEqualTo(new PyUnread("bytes"));
  }

  @Test
  void containersAreRead() {
    assertThat(items("K\1K\2K\3\u0087.")).containsExactly(1L, 2L, 3L);
    assertThat(items("(K\1K\2t.")).containsExactly(1L, 2L);
    assertThat(items(").")).isEmpty();
    assertThat(((PyList) read("](K\1K\2eK\3a.")).items()).containsExactly(1L, 2L, 3L);
    assertThat(((PyDict) read("}(U\1aK\1U\1bK\2uU\1cK\3s.")).items())
        .containsExactly(Map.entry("a", 1L), Map.entry("b", 2L), Map.entry("c", 3L));
    assertThat(read("\u008f(K\1\u0090.")).isEqualTo(new PyUnread("set"));
    assertThat(read("(K\1\u0091.")).isEqualTo(new PyUnread("set"));
  }

  @Test
  void memoizedValuesAreTheSameOnes() {
    List<Object> pair = items("]q\0h\0\u0086.");
    assertThat(pair.get(0)).isSameAs(pair.get(1));
    assertThat(items("K\1\u0094K\2\u0094h\1\u0087.")).containsExactly(1L, 2L, 2L);
    assertThat(items("K\7r\0\0\0\0j\0\0\0\0\u0086.")).containsExactly(7L, 7L);
  }

  @Test
  void dictsThatPython2WroteAreRead() {
    String pickle = "ccollections\nOrderedDict\n](](U\1aK\1e](U\1bK\2ee\u0085R.";

    assertThat(((PyDict) read(pickle)).items())
        .containsExactly(Map.entry("a", 1L), Map.entry("b", 2L));
  }

  @Test
  void tensorsAreViewsOfStorages() {
    PthPickle pickle = pickle(REBUILD + "(" + STORAGE + "K\1K\2K\3\u0086K\3K\1\u0086\u0089NtR.");
    PthTensor tensor = (PthTensor) pickle.root();

    assertThat(tensor.offset()).isEqualTo(1);
    assertThat(tensor.spec().shape().toArray()).containsExactly(2, 3);
    assertThat(tensor.spec().strides().toArray()).containsExactly(3, 1);
    assertThat(pickle.storages().values()).containsExactly(tensor.storage());
  }

  @Test
  void viewsOfStoragesInOldFilesStartWhereTheyDo() {
    String view = "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\10U\1vK\2K\3\u0087tQ";

    PthTensor tensor = (PthTensor) read(REBUILD + "(" + view + "K\1K\2\u0085K\1\u0085\u0089NtR.");

    assertThat(tensor.offset()).isEqualTo(3);
    assertThat(tensor.storage().elements()).isEqualTo(8);
    assertThatThrownBy(() -> read(REBUILD + "(" + view + "K\1K\3\u0085K\1\u0085\u0089NtR."))
        .hasMessageContaining("a tensor takes 3 elements from number 1 on, but its storage has 3");
  }

  /** Tabs part the columns; {@code \} and octal digits are bytes. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cos\\nsystem\\n(U\\2idtR. | os.system",
        "c__builtin__\\neval\\nU\\1x\\205R. | __builtin__.eval",
        "\\214\\2os\\214\\6system\\223. | os.system",
        "csubprocess\\nPopen\\n)\\201}b. | subprocess.Popen",
        "cjava.lang\\nRuntime\\n)R. | java.lang.Runtime",
        "cposix\\nsystem\\n0cbuiltins\\nexec\\n. | opcode 0x30",
      })
  void whatIsNotAllowedIsRefusedByName(String pickle, String reason) {
    assertThatThrownBy(() -> read(unescape(pickle)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(reason);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "\\200\\1. | pickles of protocols 2 to 5 are read, but this one's is 1",
        "\\200\\6. | but this one's is 6",
        ". | the pickle ends with 0 values instead of one",
        "NN. | the pickle ends with 2 values instead of one",
        "(N. | the pickle ends with 1 values instead of one",
        "N | goes on beyond byte 1",
        "X\\377\\377\\377\\177ab. | goes on beyond byte",
        "X\\377\\377\\377\\377ab. | goes on beyond byte",
        "U\\5ab. | goes on beyond byte",
        "\\212\\377ab. | goes on beyond byte",
        "B\\377\\377\\377\\377. | goes on beyond byte",
        "ccollections | goes on beyond byte",
        "\\225\\0\\0\\0. | goes on beyond byte",
        "U\\1\\377. | text in the pickle is not UTF-8",
        "X\\3\\0\\0\\0\\355\\240\\200. | text in the pickle is not UTF-8",
        "I1\\n. | the opcode 0x49, which is not read",
        "h\\0. | refers to its value number 0, which it has not",
        "Nq\\0h\\1\\206. | refers to its value number 1, which it has not",
        "j\\377\\377\\377\\377. | goes on beyond byte",
        "Nr\\377\\377\\377\\177. | memoizes a value as number 2147483647",
        "q\\0. | uses more values than it has made",
        "t. | uses a mark that it has not set",
        "N(\\206. | uses more values than it has made",
        "N(q\\0. | uses more values than it has made",
        "}(NNNu. | sets a key without a value",
        "](NNu. | sets items of a value that is no dict: a list",
        "}Na. | appends to a value that is no list: a dict",
        "}U\\1aNsU\\1aNs. | a dict has the key 'a' twice",
        "}(U\\1aNU\\1aNu. | a dict has the key 'a' twice",
        "ccollections\\nOrderedDict\\n](](U\\1aNe](U\\1aNee\\205R. | has twice the key 'a'",
        "ccollections\\nOrderedDict\\n]Na\\205R. | made of something else than pairs",
        "N)R. | calls a value that is no class: a none",
        "ccollections\\nOrderedDict\\nNR. | the arguments of a call must be a tuple, but is a none",
        "K\\1}b. | sets attributes of a value that has none: a long",
        "NQ. | a persistent id must be a tuple, but is a none",
        ")Q. | the kind should be a string, but is missing",
        "NN\\223. | a class is named by something that is no text",
        "U\\6module)\\206Q. | the file holds a 'module', such as a whole model",
        "ctorch\\nFloatStorage\\n)R. | a type is called",
        "(U\\7storageNU\\0010U\\3cpuK\\10tQ. | the storage's type should be a global, but is a none",
        "(U\\7storagectorch\\nTensor\\nU\\0010U\\3cpuK\\10tQ. | 'torch.Tensor' is not a type of storage",
        "(U\\7storagectorch\\nFloatStorage\\nU\\0010U\\3cpuJ\\377\\377\\377\\377tQ. | negative: -1",
        "(U\\7storagectorch\\nFloatStorage\\nU\\0010U\\3cpu\\212\\10\\377\\377\\377\\377\\377\\377\\377\\177tQ. | a storage has 9223372036854775807 elements",
      })
  void whatIsUnsoundIsRefused(String pickle, String reason) {
    assertThatThrownBy(() -> read(unescape(pickle)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageStartingWith("test.pkl: 'pickle': ")
        .hasMessageContaining(reason);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "K\\0K\\11\\205K\\1\\205 | takes 9 elements from number 0 on, but its storage has 8",
        "K\\10K\\1\\205K\\1\\205 | takes 1 elements from number 8 on, but its storage has 8",
        "K\\11K\\0\\205K\\1\\205 | takes 0 elements from number 9 on, but its storage has 8",
        "K\\0K\\2\\205K\\10\\205 | takes 9 elements",
        "J\\377\\377\\377\\377K\\1\\205K\\1\\205 | negative: -1",
        "K\\0J\\377\\377\\377\\377\\205K\\1\\205 | shape [-1] has a negative size",
        "K\\0K\\2\\205J\\377\\377\\377\\377\\205 | strides [-1] have a negative stride",
        "K\\0K\\2\\205) | shape [2] and strides [] differ in length",
        "K\\0\\212\\10\\377\\377\\377\\377\\377\\377\\377\\177K\\2\\206K\\0K\\0\\206 | has too many elements",
        "K\\0K\\2\\205\\212\\10\\377\\377\\377\\377\\377\\377\\377\\177\\205 | spans too many elements",
        "K\\0U\\1a\\205K\\1\\205 | a size should be a long, but is a string",
        "K\\0](K\\1eK\\1\\205 | the shape should be a tuple, but is a list",
      })
  void tensorsOutsideOfTheirStorageAreRefused(String view, String reason) {
    String pickle = REBUILD + "(" + STORAGE + unescape(view) + "\u0089NtR.";
    assertThatThrownBy(() -> read(pickle))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(reason);
  }

  @Test
  void tensorsHaveSoManyDimensions() {
    String tensor = REBUILD + "(" + STORAGE + "K\0(%stq\0h\0\u0089NtR.";

    assertThat(read(String.format(tensor, "K\1".repeat(16)))).isInstanceOf(PthTensor.class);
    assertThatThrownBy(() -> read(String.format(tensor, "K\1".repeat(17))))
        .hasMessageContaining("a tensor has 17 dimensions; 16 are read");
  }

  @Test
  void aStorageIsOfOneTypeAndSize() {
    assertThatThrownBy(() -> read("(" + STORAGE + STORAGE.replace("K\10", "K\7") + "t."))
        .hasMessageContaining(
            "the storage '0' is said to have 8 elements of type F32, and 7 of type F32");
  }

  @Test
  void tensorsAreNotMadeBySomethingThatCallsItself() {
    String again = "ctorch._tensor\n_rebuild_from_type_v2\n";

    assertThatThrownBy(() -> read(again + "(" + again + "ctorch\nTensor\n))tR."))
        .hasMessageContaining("a tensor is made by 'torch._tensor._rebuild_from_type_v2'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"%s.", "](%se.", "}U\1a%ss."})
  void nestingIsNoDeeperThanTheHeap(String template) {
    int depth = 1_000_000;
    String nested = ")" + "\u0085".repeat(depth);

    assertThat(read(String.format(template, nested)))
        .isInstanceOfAny(PyTuple.class, PyList.class, PyDict.class);
  }

  /** Twice the one before, forty times: no value is visited, so nothing grows. */
  @Test
  void valuesThatContainOneAnotherManyTimesCostNothing() {
    StringBuilder laughs = new StringBuilder("]q\0");
    for (char i = 1; i <= 40; i++) {
      char before = (char) (i - 1);
      laughs.append("](h").append(before).append('h').append(before).append("eq").append(i);
    }
    String many = laughs + "t";

    assertThat(((PyDict) read("}U\1a(" + many + "s.")).items()).hasSize(1);
    assertThat(((PyDict) read("}(" + many + "Ns.")).items()).isEmpty();
    assertThatThrownBy(() -> read("(" + many + "Q."))
        .hasMessageContaining("the kind should be a string, but is a list");
  }

  /** What {@code docs/security.md} promises, of what is allocated: what is kept is less. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "]",
        "}",
        ")",
        "(",
        "N",
        ")\u0085",
        "](",
        "U\1a",
        "N\u0094",
        "C\0",
        "K\377",
        "M\377\377",
        "\u008a\1\u0085",
        "\u008a\11\0\0\0\0\0\0\0\0\1",
        "ca\nb\n",
        "h\0h\0\u0086",
        "h\1)R",
        "h\2h\3R"
      })
  void memoryIsAtMostSoManyTimesThePickle(String unit) {
    String start =
        "]q\0ccollections\nOrderedDict\nq\1"
            + REBUILD
            + "q\2"
            + "("
            + STORAGE
            + "K\0("
            + "K\1".repeat(16)
            + "tq\4h\4NNtq\3";
    assertThat(allocatedFor(start + ".")).isPositive();

    String pickle = start + unit.repeat(400_000 / unit.length());

    assertThat(allocatedFor(pickle)).isLessThan(128L * pickle.length());
  }

  /** Returns how many bytes are allocated until a pickle that does not end is refused. */
  private static long allocatedFor(String pickle) {
    long before = Allocated.bytes();
    try {
      read(pickle);
      throw new AssertionError("the pickle was read");
    } catch (CheckpointException e) {
      return Allocated.bytes() - before;
    }
  }

  private static String unescape(String text) {
    return text.translateEscapes();
  }
}
