"""Reads safetensors files that Java wrote, and prints what is in them as read_pth.py does.

Usage: python read_safetensors.py HOW PATH
"""

import hashlib
import json
import pathlib
import sys

from read_pth import model, show
from safetensors import safe_open
from safetensors.torch import load_file


def digest(path, written):
    """What ema4j.sha256 is: the SHA-256 of the pieces' SHA-256s, with zeros in its own place."""
    data = pathlib.Path(path).read_bytes().replace(written.encode(), b"0" * 64, 1)
    pieces = (data[at : at + (16 << 20)] for at in range(0, len(data), 16 << 20))
    return hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces)).hexdigest()


def single(path):
    with safe_open(path, framework="pt") as file:
        for key, value in file.metadata().items():
            print(f"metadata/{key}\t{value}")
        written = file.metadata()["ema4j.sha256"]
        print(f"digest\t{digest(path, written) == written}")
        show("file", {name: file.get_tensor(name) for name in file.keys()})
    show("loaded", load_file(path))


def sharded(path):
    index = json.loads(pathlib.Path(path).read_text())
    places = index["weight_map"]
    shards = {file: load_file(pathlib.Path(path).with_name(file)) for file in set(places.values())}
    assert sorted(places) == sorted(name for shard in shards.values() for name in shard)
    tensors = {name: shards[file][name] for name, file in places.items()}
    size = sum(tensor.nbytes for tensor in tensors.values())
    print(f"shards\t{len(shards)}")
    print(f"total_size\t{index['metadata']['total_size'] == size}")
    show("file", tensors)


def timm(path):
    import timm.models

    loaded = model()
    timm.models.load_checkpoint(loaded, path)
    show("loaded", loaded.state_dict())


def hub(folder):
    import huggingface_hub

    loaded = model()
    huggingface_hub.load_torch_model(loaded, folder, strict=True)
    show("loaded", loaded.state_dict())


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
