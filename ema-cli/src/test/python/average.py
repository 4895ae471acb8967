"""Averages checkpoints in NumPy: sums in float64, in the order of the files, rounded once.

usage: average.py WEIGHTS FILE...   prints each tensor's name and its bytes in hexadecimal digits

Safetensors files are read by the safetensors package, PyTorch's zip files by means of their own, without PyTorch.
"""

import collections
import json
import os
import pickle
import sys
import zipfile

import numpy
from safetensors.numpy import load_file

STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8"}


class Unpickler(pickle.Unpickler):
    """Makes arrays of the tensors in a file of torch.save's."""

    def __init__(self, archive, root):
        super().__init__(archive.open(root + "/data.pkl"))
        self.archive, self.root = archive, root

    def find_class(self, module, name):
        if name in STORAGES:
            return STORAGES[name]
        if name == "_rebuild_tensor_v2":
            return self.rebuild
        return {"OrderedDict": collections.OrderedDict}[name]

    def persistent_load(self, saved):
        _, dtype, key, _, _ = saved
        return numpy.frombuffer(self.archive.read(f"{self.root}/data/{key}"), dtype)

    @staticmethod
    def rebuild(storage, offset, shape, strides, *_):
        bytes_apart = [stride * storage.itemsize for stride in strides]
        return numpy.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_apart)


def read(path):
    if path.endswith(".index.json"):
        shards = set(json.load(open(path))["weight_map"].values())
        parts = [load_file(os.path.join(os.path.dirname(path), shard)) for shard in sorted(shards)]
        return {name: tensor for part in parts for name, tensor in part.items()}
    if path.endswith(".safetensors"):
        return load_file(path)
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
        return Unpickler(archive, root).load()


def main(weights, *paths):
    weights = numpy.array([float(weight) for weight in weights.split(",")])
    weights = [weight / sum(weights) for weight in weights]
    states = [read(path) for path in paths]
    for name, last in states[-1].items():
        result = last
        if last.dtype.kind == "f":
            total = weights[0] * states[0][name].astype(numpy.float64)
            for weight, state in zip(weights[1:], states[1:]):
                total = total + weight * state[name].astype(numpy.float64)
            result = total.astype(states[0][name].dtype)
        print(name, result.tobytes().hex(), sep="\t")


main(*sys.argv[1:])
