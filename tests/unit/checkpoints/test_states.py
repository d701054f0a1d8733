"""Finding a net in a checkpoint, its parameter names, and the iteration of a file."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from sharpest.checkpoints.files import contents_of, learning_rate, load_net, numbered
from sharpest.errors import DataError


def net(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


STATE = net(1).state_dict()


@pytest.mark.parametrize(
    "contents",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"run": {"model_state": STATE}, "optimizer": {"state": {0: {"exp_avg": torch.ones(4, 3)}}}},
        {f"module.{name}": value for name, value in STATE.items()},
        {"model": {f"module._orig_mod.{name}": value for name, value in STATE.items()}},
        {name: value.half() if value.is_floating_point() else value for name, value in STATE.items()},
        {name: value for name, value in STATE.items() if "num_batches" not in name},
    ],
    ids=["state dict", "nested", "deep", "prefix", "compiled", "half", "old batch norm"],
)
def test_a_net_is_found(contents: dict, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / "a.pt")
    loaded = net(2)
    load_net(loaded, contents_of(tmp_path / "a.pt"), tmp_path / "a.pt")
    for name, value in loaded.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value, STATE[name], atol=1e-3), name


def test_a_tied_parameter_may_be_left_out() -> None:
    def tied() -> nn.Sequential:
        layers = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
        layers[1].weight = layers[0].weight
        return layers

    loaded = tied()
    load_net(loaded, {"0.weight": torch.eye(3)}, Path("a.pt"))
    assert torch.equal(loaded[1].weight, torch.eye(3))


def write_safetensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """In the format of https://huggingface.co/docs/safetensors."""
    names = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16"}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        raw = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": names[value.dtype], "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]
        }  # fmt: skip
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_safetensors_are_read_bit_for_bit(tmp_path: Path) -> None:
    tensors = {**STATE, "x": torch.randn(2, 3).bfloat16(), "none": torch.empty(0, 2)}
    write_safetensors(tmp_path / "a.safetensors", tensors)
    read = contents_of(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], value) and read[name].dtype == value.dtype for name, value in tensors.items())
    whole = (tmp_path / "a.safetensors").read_bytes()
    for damaged in (b"", whole[:5], whole[:-4], b"\xff" * 8 + whole[8:]):
        (tmp_path / "b.safetensors").write_bytes(damaged)
        with pytest.raises(DataError, match="damaged, or not a checkpoint"):
            contents_of(tmp_path / "b.safetensors")


def test_iterations(tmp_path: Path) -> None:
    def places(*names: str, **more: object) -> tuple[list[int], str]:
        paths = [tmp_path / name for name in names]
        for number, path in enumerate(paths):
            path.parent.mkdir(exist_ok=True)
            torch.save({name: value[number] for name, value in more.items()}, path)
        pairs, source = numbered(paths)
        return [number for number, _ in pairs], source

    assert places("s10.pt", "s9.pt") == ([9, 10], "the number in the file name")
    assert places("epoch=1-step=30.ckpt", "epoch=0-step=15.ckpt")[0] == [15, 30]
    assert places("checkpoint-5/model.pt", "checkpoint-7/model.pt")[0] == [5, 7]
    from_contents = places("x/a.pt", "x/b.pt", global_step=[20, 4])
    assert from_contents == ([4, 20], "the number of updates in the file")
    assert places("x/a.pt", "x/b.pt") == ([0, 1], "the position of the file, from 0")


def test_learning_rate() -> None:
    optimizer = torch.optim.Adam(net(1).parameters(), lr=0.25)
    assert learning_rate({"optimizer_states": [optimizer.state_dict()]}) == 0.25
    assert learning_rate({"model": STATE}) is None
