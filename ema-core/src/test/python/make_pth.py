"""Writes the files that PthFileTest reads, by PyTorch itself.

Usage: python make_pth.py FOLDER
Made with torch 2.15.0 and numpy 2.4.6.
"""

import argparse
import collections
import pathlib
import sys
import zipfile

import numpy
import torch

folder = pathlib.Path(sys.argv[1])


def weights(first):
    """The state dict of a small model: first, first + 1, ..."""
    return collections.OrderedDict(
        [
            ("a", torch.arange(first, first + 6, dtype=torch.float32).reshape(2, 3)),
            ("b", torch.tensor([first + 6.0, -(first + 7.0)], dtype=torch.float64)),
            ("n", torch.tensor(2, dtype=torch.int64)),
        ]
    )


def wrapped(counter, state):
    """The same as the state dict of a wrapper that counts its updates."""
    result = collections.OrderedDict([(counter, torch.tensor(7, dtype=torch.int64))])
    result.update(("module." + name, tensor) for name, tensor in state.items())
    return result


def save(value, name, **options):
    torch.save(value, folder / name, **options)


def swapped(name, to):
    """Turns a file into what a big-endian machine writes."""
    sizes = {"0": 4, "1": 8, "2": 8}
    with zipfile.ZipFile(folder / name) as old, zipfile.ZipFile(folder / to, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            key = info.filename.rsplit("/", 1)[-1]
            if info.filename.endswith("/byteorder"):
                data = b"big"
            elif "/data/" in info.filename:
                size = sizes[key]
                parts = [data[i : i + size][::-1] for i in range(0, len(data), size)]
                data = b"".join(parts)
            new.writestr(zipfile.ZipInfo(info.filename), data)


save(weights(1), "plain.pth")
save(weights(1), "protocol-4.pth", pickle_protocol=4)
save(weights(1), "protocol-5.pth", pickle_protocol=5)
save(weights(1), "protocol-4-legacy.pth", pickle_protocol=4, _use_new_zipfile_serialization=False)
swapped("plain.pth", "big-endian.pth")

torch.serialization.set_crc32_options(False)
save(weights(1), "no-checksums.pth")
torch.serialization.set_crc32_options(True)

save({"state_dict": weights(11), "ema_state_dict": wrapped("steps", weights(1))}, "mmengine.pth")
save({"state_dict": weights(1), "meta": {"epoch": 3}}, "mmengine-without-ema.pth")
save(wrapped("n_averaged", weights(11)), "averaged-model.pth")
save(
    {"model": weights(1), "model_ema": wrapped("n_averaged", weights(11)), "epoch": 4},
    "torchvision.pth",
)
save({"trainer": {"net": weights(1), "ema": {"state": weights(11)}}}, "nested.pth")

attributed = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
attributed.note = "an attribute"
tensor_with_attribute = torch.tensor([3.0])
tensor_with_attribute.note = "another"
tied = torch.tensor([4.0, 5.0, 6.0])
save(
    {
        "state_dict": {
            "parameter": torch.nn.Parameter(torch.tensor([7.0])),
            "attributed": attributed,
            "with_attribute": tensor_with_attribute,
            "tied": tied,
            "tail": tied[1:],
            "expanded": torch.tensor([8.0]).expand(2, 3),
            "_extra_state": None,
        },
        "args": argparse.Namespace(lr=0.1, names=["x"]),
        "counter": collections.Counter("aab"),
        "set": {1, 2},
        "frozen": frozenset([3]),
        "bytes": b"\x00\xff",
        "array": bytearray(b"\x01"),
        "complex": 1j,
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "size": torch.Size([1, 2]),
        "large": 10**30,
        "negative": -5,
        "flag": True,
        "none": None,
        "text": "\u00fc\U0001f600",
        ("tuple", "key"): 1,
    },
    "odds.pth",
)
save({"state_dict": weights(1), "best": numpy.float64(0.5)}, "numpy-scalar.pth")
save({"state_dict": {"z": torch.ones(2, dtype=torch.complex64)}}, "complex.pth")
save({"state_dict": {"f": torch.ones(2).to(torch.float8_e4m3fn)}}, "float8.pth")
save({"state_dict": {"i": torch.complex(torch.ones(2), torch.ones(2)).conj().imag}}, "negated.pth")
torch.jit.script(torch.nn.ReLU()).save(str(folder / "script.pt"))
torch.save(torch.nn.Linear(1, 1), folder / "module-legacy.pth", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Linear(1, 1), folder / "module.pth")
