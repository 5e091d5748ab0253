"""Which device computes, and in which number format."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Device:
    """A device and how to compute on it.

    Parameters
    ----------
    name : ``cuda``, ``mps`` or ``cpu``.
    bfloat16 : whether half precision pays there.
    title : what people read.
    """

    name: str
    bfloat16: bool
    title: str

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which convolutions run in bfloat16 where it pays."""
        return torch.autocast(self.name, torch.bfloat16, enabled=self.bfloat16)


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulated it is slower than float32."""
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported"):
        found = getattr(torch.cpu, probe, None)
        if found is not None and found():
            return True
    return False


def choose_device(wanted: str | None = None) -> Device:
    """The device asked for, or the best there is: CUDA, then MPS, then the CPU."""
    if wanted is None:
        if torch.cuda.is_available():
            wanted = "cuda"
        elif torch.backends.mps.is_available():
            wanted = "mps"
        else:
            wanted = "cpu"
    if wanted.startswith("cuda"):
        return Device(wanted, torch.cuda.is_bf16_supported(), torch.cuda.get_device_name(wanted))
    if wanted == "mps":
        return Device("mps", False, "Apple GPU")
    threads = torch.get_num_threads()
    named = f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"
    return Device("cpu", cpu_has_bfloat16(), named)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; the CPU's allocator says so only in words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )
