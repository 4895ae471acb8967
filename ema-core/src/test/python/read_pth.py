"""Reads a file that PthWriter wrote, and prints what PyTorch, timm and MMEngine see in it.

Usage: python read_pth.py HOW FILE
One tensor a line: what has it, a slash, its name, a tab, type, shape and the bits of its elements.
"""

import sys

import torch

TYPES = {
    torch.float64: ("F64", torch.int64, 64),
    torch.float32: ("F32", torch.int32, 32),
    torch.float16: ("F16", torch.int16, 16),
    torch.bfloat16: ("BF16", torch.int16, 16),
    torch.int64: ("I64", torch.int64, 64),
    torch.int32: ("I32", torch.int32, 32),
    torch.int16: ("I16", torch.int16, 16),
    torch.int8: ("I8", torch.int8, 8),
    torch.uint8: ("U8", torch.uint8, 8),
    torch.bool: ("BOOL", torch.uint8, 8),
}


def show(owner, state):
    for name, tensor in state.items():
        assert isinstance(tensor, torch.Tensor), (name, tensor)
        kind, integer, bits = TYPES[tensor.dtype]
        values = tensor.detach().contiguous().reshape(-1).view(integer).tolist()
        text = "".join(f" {value & (1 << bits) - 1:x}" for value in values)
        print(f"{owner}/{name}\t{kind} {list(tensor.shape)}:{text}")


def model():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def load(path, **options):
    return torch.load(path, weights_only=True, **options)


def plain(path):
    for options in {}, {"mmap": True}:
        show("plain", load(path, **options))


def values(path):
    for key, value in load(path).items():
        if not isinstance(value, dict) or key == "map":
            print(f"{key}\t{value!r}")


def tied(path):
    state = load(path)
    print(f"tied\t{state['a'].data_ptr() == state['b'].data_ptr()}")
    print(f"tied\t{state['a'].data_ptr() == state['c'].data_ptr()}")


def timm(path):
    import timm.models
    import timm.utils

    resumed = model()
    epoch = timm.models.resume_checkpoint(resumed, path, log_info=False)
    print(f"epoch\t{epoch}")
    show("resumed", resumed.state_dict())
    loaded = model()
    timm.models.load_checkpoint(loaded, path, use_ema=True)
    show("average", loaded.state_dict())
    show("v1", timm.utils.ModelEma(model(), resume=path).ema.state_dict())


def averaged_model(path):
    averaged = torch.optim.swa_utils.AveragedModel(model())
    averaged.load_state_dict(load(path))
    print(f"n_averaged\t{averaged.n_averaged.item()}")
    show("average", averaged.module.state_dict())


def mmengine(path):
    from mmengine.hooks import EMAHook
    from mmengine.model import ExponentialMovingAverage

    class Runner:
        _resume = True

    # What the hook itself does when a run goes on.
    checkpoint = load(path)
    hook = EMAHook()
    hook.src_model = model()
    hook.ema_model = ExponentialMovingAverage(hook.src_model)
    hook.after_load_checkpoint(Runner(), checkpoint)
    hook.src_model.load_state_dict(checkpoint["state_dict"])
    print(f"steps\t{hook.ema_model.steps.item()}")
    show("model", hook.src_model.state_dict())
    show("average", hook.ema_model.module.state_dict())


def last(path):
    large = load(path, mmap=True)["large"]
    print(f"large\t{large.numel()} {large[0].item()} {large[-1].item()} {large.count_nonzero()}")


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
