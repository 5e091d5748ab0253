"""OpenVINO as an engine: a model's network converted once, kept beside its weights, run on a CPU.

The network is traced by torch and read by OpenVINO's own reader of such traces, which leaves batch,
height and width open. The way through ONNX was measured too (FPN on EfficientNet-Lite0): it takes
9 s of processor time against 1.2 s and fits one size of picture only, while pictures of a project
give tiles of many sizes. A network compiled for one size was a tenth faster than one for all sizes,
and has to be compiled again (0.3 s) for each.

What was kept is proved against torch each time it is loaded, on a small made picture. So a file
that was damaged, or that an older version of this program wrote, computes nothing.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import warnings
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import torch
from torch import Tensor

from segcore.base import MaskwrightError
from segcore.models.built_in import is_built_in
from segcore.models.onnx_export import logits_of
from segcore.models.output import SegOutput
from segcore.models.weights import model_digest

if TYPE_CHECKING:
    from segcore.models.segmodel import SegModel

log = logging.getLogger(__name__)

KEPT = "engine"  # the folder beside a model's weights; may be deleted at any time
_PROOF = 64  # side of the made picture, in pixels, where the network's least size allows
_TOLERANCE = {"f32": 2e-3, "bf16": 0.1}  # of the largest score


class NotConverted(MaskwrightError):
    """OpenVINO cannot compute this network; torch can."""


def is_installed() -> bool:
    """Whether OpenVINO can be loaded."""
    return importlib.util.find_spec("openvino") is not None


@cache
def _library() -> Any:
    """The module ``openvino``.

    Its import sends a word home where ``openvino_telemetry`` is installed, which it asks for. A
    program for patients' pictures calls nobody, so that package is not found from here on.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def _core() -> Any:
    core = _library().Core()
    # What is read is copied, so that its file may be deleted on every system.
    core.set_property({"ENABLE_MMAP": "NO"})
    return core


def has_bfloat16() -> bool:
    """Whether OpenVINO multiplies bfloat16 in hardware here."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def refusal(model: SegModel) -> str:
    """Why OpenVINO is not even asked to compute such a model, or ""."""
    if not is_installed():
        return "OpenVINO is not installed."
    name = model.spec.architecture
    if model.finds_objects or model.own_losses:
        return f"{name} runs in torch: it gives more than scores of classes."
    return ""


class OpenVinoEngine:
    """A converted network.

    Parameters
    ----------
    model : in evaluation, on the CPU.
    precision : ``f32`` or ``bf16``.
    folder : of the model, where the conversion is kept; None keeps nothing.

    Raises
    ------
    NotConverted : an operator has no counterpart, or the answers are not torch's.
    """

    def __init__(self, model: SegModel, precision: str, folder: Path | None = None) -> None:
        self.name = f"openvino-{precision}"
        self._precision = precision
        if folder is not None and self._takes_kept(model, folder):
            return
        converted = convert(model)
        self._compile(converted)
        if not self._proves(model):
            raise NotConverted("Converted for OpenVINO the network gives other scores.")
        if folder is not None:
            _keep(converted, folder)

    def __call__(self, images: Tensor) -> SegOutput:
        given = self._request.infer(
            {0: images.contiguous().numpy()}, share_inputs=True, share_outputs=True
        )
        return SegOutput(torch.from_numpy(given[0]))

    def _takes_kept(self, model: SegModel, folder: Path) -> bool:
        """Take what an earlier conversion left, if it is there and gives torch's answers."""
        kept = _kept(folder)
        if kept is None:
            return False
        try:
            self._compile(_core().read_model(kept))
            if self._proves(model):
                return True
        except (RuntimeError, NotConverted):  # a part of it is missing or garbled
            pass
        log.warning("a kept conversion is damaged or stale and is made anew")
        shutil.rmtree(kept.parent, ignore_errors=True)
        return False

    def _compile(self, network: Any) -> None:
        try:
            compiled = _core().compile_model(
                network,
                "CPU",
                {
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": 1,
                    "INFERENCE_PRECISION_HINT": self._precision,
                    # What limits torch's threads (a trainer's share of the cores) limits these.
                    "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                    # A thread bound to a core waits there while a training has it.
                    "ENABLE_CPU_PINNING": False,
                },
            )
        except RuntimeError as error:
            raise NotConverted(_reason(error)) from error
        self._request = compiled.create_infer_request()

    @torch.no_grad()
    def _proves(self, model: SegModel) -> bool:
        """Whether the answers are torch's, for two shapes of batches."""
        side = max(_PROOF, model.least_size)
        random = torch.Generator().manual_seed(0)
        limit = _TOLERANCE[self._precision]
        for batch, height, width in ((1, side, side + model.input_multiple), (2, side, side)):
            size = model.padded(height, width)
            images = torch.rand(batch, model.spec.channels, *size, generator=random) * 4 - 2
            expected = model(images.contiguous(memory_format=torch.channels_last)).logits
            try:
                found = self(images).logits
            except RuntimeError:
                return False
            within = limit * float(expected.abs().max().nan_to_num()) + 1e-6
            if found.shape != expected.shape or not torch.allclose(
                found, expected, rtol=0, atol=within, equal_nan=True
            ):
                return False
        return True


def convert(model: SegModel) -> Any:
    """The network as OpenVINO's model, for any batch, height and width that it computes unpadded.

    Raises
    ------
    NotConverted : an operator has no counterpart.
    """
    side = max(_PROOF, model.least_size)
    images = torch.zeros(1, model.spec.channels, *model.padded(side, side + model.input_multiple))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that a trace takes for fixed; proved after
            trace: Any = torch.jit.trace(logits_of(model), (images,), check_trace=False)  # type: ignore[no-untyped-call]
            converted = _library().convert_model(trace, example_input=images)
            converted.reshape([-1, model.spec.channels, -1, -1])
    except Exception as error:  # whatever tracer and reader raise: torch computes it then
        raise NotConverted(_reason(error)) from error
    return converted


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = (lines[0] if lines else type(error).__name__).rstrip(".")
    return f"OpenVINO cannot compute the network: {said[:160]}."


# -- what is kept -------------------------------------------------------------------------------


def places(folder: Path) -> list[Path]:
    """Where conversions of the model in `folder` are kept: beside it, else in the user's cache.

    What comes with the program stays as it was installed. MASKWRIGHT_CACHE names another folder
    than the user's cache.
    """
    override = os.environ.get("MASKWRIGHT_CACHE")
    cache_folder = override or platformdirs.user_cache_path("maskwright", appauthor=False)
    users = Path(cache_folder) / "engines"
    return [users] if is_built_in(folder) else [folder / KEPT, users]


def _name(folder: Path) -> str:
    return f"{model_digest(folder)[:20]}-openvino-{metadata.version('openvino')}"


def _kept(folder: Path) -> Path | None:
    name = _name(folder)
    found = (place / name / "model.xml" for place in places(folder))
    return next((path for path in found if path.is_file()), None)


def _keep(converted: Any, folder: Path) -> None:
    """Write a conversion, whole or not at all; where nothing can be written, none is kept."""
    name = _name(folder)
    for place in places(folder):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place, suffix=".part") as draft:
                whole = Path(draft) / name
                whole.mkdir()
                _library().save_model(converted, whole / "model.xml", compress_to_fp16=False)
                if not (place / name).exists():
                    whole.rename(place / name)
            _drop_older(place, name, folder)
        except (OSError, RuntimeError) as error:
            log.info("a conversion could not be kept: %s", type(error).__name__)
        else:
            return


def _drop_older(place: Path, name: str, folder: Path) -> None:
    """Beside a model, whatever is not its present conversion; elsewhere, its older ones."""
    mine = name.partition("-")[0]
    for other in place.iterdir():
        known = place.parent == folder or other.name.startswith(mine)
        if other.name != name and known and other.suffix != ".part":
            shutil.rmtree(other, ignore_errors=True)
