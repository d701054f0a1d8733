"""The device that numbers were computed on."""

import platform

import torch


def device_name() -> str:
    """The GPU, if there is one, and the processor with the instruction set that torch uses: bits depend on both."""
    cpu = f"cpu ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
    return f"{torch.cuda.get_device_name()}, {cpu}" if torch.cuda.is_available() else cpu
