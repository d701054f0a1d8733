"""A stand-in for a GPU: tensors that claim to be on ``cuda``, with real values, and the rules of a real GPU.

The tensors of ``FakeTensorMode`` claim this too, and follow CUDA's rules. But they hold no numbers, accept a CPU
generator, and fail in the autograd of a torch built for CUDA if there is no driver. So the tensors of this module keep
their values on the CPU, and operations on them are computed there: loops end as they do on a GPU, and results can be
compared. If an operation mixes devices, ``FakeTensorMode`` decides whether CUDA accepts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
_aten = torch.ops.aten
_LISTS = (_aten.stack.default, _aten.cat.default)
# the size of the result depends on the values, so the host waits
_SIZED_BY_VALUES = (_aten.nonzero.default, _aten.masked_select.default, _aten._unique2.default)


class GpuTensor(Tensor):
    """Values on the CPU, behind a tensor that claims to be on the GPU.

    The autograd engine, which queries the device in C++, sees it on ``meta``, which needs no driver.
    """

    value: Tensor

    @staticmethod
    def __new__(cls, value: Tensor) -> GpuTensor:
        shape = {"strides": value.stride(), "storage_offset": value.storage_offset()}
        self = Tensor._make_wrapper_subclass(cls, value.size(), dtype=value.dtype, device="meta", **shape)
        self.value = value
        return self

    __torch_function__ = torch._C._disabled_torch_function_impl

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def __repr__(self) -> str:  # type: ignore[override]
        return f"GpuTensor({self.value!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} on a tensor of the stand-in GPU after its end")


class StandInGpu(TorchDispatchMode):
    """A mode in which ``device="cuda"`` works.

    Attributes:
        reads: Number of times that the host waited to read from the GPU: numbers, copies, sizes that depend on values.
        uploads: Number of copies from the host to the GPU, for which the host also waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.uploads = 0
        self._fakes = FakeTensorMode()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        leaves = [*_leaves(args), *_leaves(kwargs.values())]
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        on_gpu = [isinstance(tensor, GpuTensor) for tensor in tensors]
        device = next((leaf for leaf in leaves if isinstance(leaf, torch.device)), None)
        if not any(on_gpu) and (device is None or device.type == "cpu"):
            return func(*args, **kwargs)
        if any(isinstance(leaf, torch.Generator) for leaf in leaves):
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        target = CPU if device is not None and device.type == "cpu" else GPU
        if func is _aten.copy_.default:
            target = tensors[0].device
            self._count(tensors[1].device, target)
        elif device is not None and tensors:
            self._count(tensors[0].device, target)
        elif not all(on_gpu):
            self._judge(func, args, kwargs, tensors)
        if func is _aten._local_scalar_dense.default or func in _SIZED_BY_VALUES:
            self.reads += 1
        result = func(*_map(_on_cpu, args), **{name: _map(_on_cpu, value) for name, value in kwargs.items()})
        changed = [kwargs[name] if name in kwargs else args[place] for place, name in _changes(func)]
        if changed:
            return changed[0] if len(changed) == 1 else tuple(changed)
        return result if target == CPU else _map(_on_gpu, result)

    def _count(self, source: torch.device, target: torch.device) -> None:
        """Count a copy."""
        self.reads += source == GPU != target
        self.uploads += target == GPU != source

    def _judge(self, func: Any, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
        """Ask whether CUDA accepts tensors on two devices."""
        if func in _LISTS:  # CUDA accepts CPU scalars elsewhere; FakeTensorMode would accept them here too
            raise FakeTensorDeviceMismatchError(func, GPU, CPU)
        with self._fakes:
            func(*_map(_fake, args), **{name: _map(_fake, value) for name, value in kwargs.items()})
        self.uploads += any(tensor.device == CPU and tensor.dim() > 0 for tensor in tensors)


def _leaves(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _map(function: Callable[[Any], Any], value: Any) -> Any:
    return [function(entry) for entry in value] if isinstance(value, list | tuple) else function(value)


def _on_cpu(leaf: Any) -> Any:
    if isinstance(leaf, GpuTensor):
        return leaf.value
    if isinstance(leaf, list | tuple):
        return _map(_on_cpu, leaf)
    return CPU if isinstance(leaf, torch.device) else leaf


def _on_gpu(value: Any) -> Any:
    return GpuTensor(value) if isinstance(value, Tensor) else value


def _fake(leaf: Any) -> Any:
    if isinstance(leaf, list | tuple):
        return _map(_fake, leaf)
    if not isinstance(leaf, Tensor):
        return leaf
    return torch.empty_strided(leaf.size(), leaf.stride(), dtype=leaf.dtype, device=leaf.device)


@cache
def _changes(func: Any) -> list[tuple[int, str]]:
    """Positions and names of the arguments that an operation modifies and returns."""
    if not any(entry.alias_info is not None and entry.alias_info.is_write for entry in func._schema.returns):
        return []
    arguments = enumerate(func._schema.arguments)
    return [
        (place, entry.name) for place, entry in arguments if entry.alias_info is not None and entry.alias_info.is_write
    ]


@contextmanager
def stand_in_gpu(free: int = 2**30, total: int = 2**30, share: float = 1.0) -> Iterator[StandInGpu]:
    """A machine with one GPU.

    Args:
        free, total: Memory of the GPU, bytes.
        share: Fraction of the memory that this process may take.
    """
    attributes = {
        "is_available": lambda: True,
        "_lazy_init": lambda: None,
        "mem_get_info": lambda device=None: (free, total),
        "memory_allocated": lambda device=None: 0,
        "memory_reserved": lambda device=None: 0,
        "get_per_process_memory_fraction": lambda device=None: share,
        "get_device_name": lambda device=None: "stand-in",
    }
    torch._C._ensureCUDADeviceGuardSet()  # as FakeTensorMode does, so that C++ asks no driver
    with mock.patch.multiple(torch.cuda, **attributes), StandInGpu() as gpu:
        yield gpu
