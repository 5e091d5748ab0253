"""A checkpoint of segmentation-models-pytorch as a model of this project.

Read is what ``save_pretrained`` writes (a folder with ``config.json`` and ``model.safetensors``),
or a table of weights with the arguments of the class that they belong to. Nothing of it is
executed. What smp does not need told (its defaults) is taken from the installed smp.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcore.base import BadFile, ClassSet, MaskwrightError
from segcore.models.registry import Architecture, architectures, as_classes, make_spec

if TYPE_CHECKING:
    from torch import Tensor

    from segcore.models.segmodel import SegModel

CLASS = "_model_class"  # what save_pretrained calls the class's name
# A softmax or sigmoid at the end changes no order among classes; here it comes after the logits.
_MONOTONIC = (None, "identity", "softmax", "softmax2d", "logsoftmax", "sigmoid")
_ASIDE = {CLASS, "activation", "aux_params", "encoder_weights", "in_channels", "classes"}
_ASIDE |= {"encoder_name", "upsampling", "dynamic_img_size", "decoder_use_batchnorm"}
# Parts that a checkpoint may have and segmentation has no use for.
_UNUSED = ("classification_head.", "encoder.model.head.", "encoder.model.fc_norm.")


def load_smp_checkpoint(
    path: Path | str,
    *,
    classes: ClassSet | Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> SegModel:
    """The model of a checkpoint; its logits are smp's.

    Parameters
    ----------
    path : a folder of ``save_pretrained``; or a ``.safetensors`` or ``.pth`` file with a JSON of
        the same name, or a ``config.json``, beside it.
    classes : one for each output channel, in its order; None names them "class 0", "class 1", ...
        A checkpoint with one output tells one class from all else: it becomes a model of two
        classes with the same probabilities, and one name given gets "background" before it.
    arguments : of smp's class, with its name as ``_model_class``; they go before those in files.

    Raises
    ------
    BadFile : no checkpoint, or weights that do not fit its arguments.
    MaskwrightError : an architecture or argument that has no counterpart here.
    """
    from segcore.models.encoders import encoder_preparation, read_tensors
    from segcore.models.segmodel import SegModel

    path = Path(path)
    weights = _weights_of(path)
    known = _arguments_of(path, weights) | dict(arguments or {})
    family = _family_of(known, path)
    taken = _with_defaults(family, known)
    outputs = int(taken["classes"])
    wanted = _classes(classes, outputs)
    spec = make_spec(
        family.name,
        classes=wanted if len(wanted.scored) == outputs else outputs,
        channels=int(taken["in_channels"]),
        encoder=str(taken["encoder_name"]),
        **_options(family, taken),
    )
    spec = spec.changed(
        preparation=encoder_preparation(spec.encoder, spec.channels),
        weights=f"imported from {path.name}",
    )
    model = SegModel(spec)
    _fill(model, read_tensors(weights), path)
    _check_size(model, taken)
    return model.eval() if outputs > 1 else _two_classes(model, wanted)


def _weights_of(path: Path) -> Path:
    if path.is_file():
        return path
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (path / name).is_file():
            return path / name
    raise BadFile(
        f"{path} is no checkpoint of segmentation-models-pytorch.",
        "Name a folder made by save_pretrained, or a .safetensors or .pth file.",
    )


def _arguments_of(path: Path, weights: Path) -> dict[str, Any]:
    for place in (weights.with_suffix(".json"), weights.parent / "config.json"):
        if not place.is_file():
            continue
        try:
            found = json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadFile(f"{place} is no valid JSON.", "Copy the checkpoint again.") from error
        if not isinstance(found, dict):
            raise BadFile(f"{place} holds no arguments.", "Copy the checkpoint again.")
        return found
    if path.is_dir():
        raise BadFile(f"{path} has no config.json.", "Copy the checkpoint again.")
    return {}


def _family_of(known: Mapping[str, Any], path: Path) -> Architecture:
    wanted = str(known.get(CLASS, ""))
    peers = {row.peer: row for row in architectures().values() if row.peer}
    for peer, row in peers.items():
        if wanted.casefold() in (peer.casefold(), row.name):
            return row
    if not wanted:
        raise MaskwrightError(
            f"Nothing says which architecture the weights in {path.name} belong to.",
            "Give --arch and --encoder, or put the arguments into a JSON file beside it.",
        )
    raise MaskwrightError(
        f"{wanted} is no architecture that can be imported.", f"Those are {', '.join(peers)}."
    )


def _with_defaults(family: Architecture, known: Mapping[str, Any]) -> dict[str, Any]:
    import segmentation_models_pytorch as smp

    signature = inspect.signature(getattr(smp, family.peer).__init__)
    defaults = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    taken = defaults | dict(known)
    ours = {option.argument for option in family.options} | {o.name for o in family.options}
    for name, value in known.items():
        if value is None or name in _ASIDE or name.startswith("_") or name in ours:
            continue
        if name not in defaults or value != defaults[name]:
            raise MaskwrightError(
                f"The checkpoint's argument {name} = {value!r} has no counterpart here.",
                "Only models without it can be imported.",
            )
    if taken["activation"] not in _MONOTONIC:
        raise MaskwrightError(
            f"The checkpoint ends in {taken['activation']!r}, from which no probabilities follow.",
            "Save it with activation=None.",
        )
    return taken


def _options(family: Architecture, taken: Mapping[str, Any]) -> dict[str, Any]:
    """The family's options; what smp does not have (auxiliary heads, ...) is off."""
    options: dict[str, Any] = {}
    for option in family.options:
        if option.argument:
            value = taken[option.argument]
            options[option.name] = list(value) if isinstance(value, list | tuple) else value
        elif option.name in taken:
            options[option.name] = taken[option.name]
        elif isinstance(option.default, bool):
            options[option.name] = False
        else:
            options[option.name] = 32  # PSPNet's output_stride, which smp hands to the encoder
    if "norm" in options:
        older = taken.get("decoder_use_batchnorm")
        options["norm"] = _norm(options["norm"] if older is None else older)
    return options


def _norm(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"type"}:
        value = value["type"]
    return {True: "batchnorm", False: "identity"}[value] if isinstance(value, bool) else value


def _classes(classes: ClassSet | Sequence[str] | None, outputs: int) -> ClassSet:
    wanted = max(outputs, 2)  # one output is told from a background
    if classes is None:
        return as_classes(["background", "class 1"] if outputs == 1 else wanted)
    if not isinstance(classes, ClassSet) and len(classes) == 1 == outputs:
        classes = ["background", *classes]
    made = as_classes(classes)
    if len(made.scored) != wanted:
        raise MaskwrightError(
            f"The checkpoint tells {outputs} classes, and {len(made.scored)} were named.",
            "Name one class for each of its outputs, in their order.",
        )
    return made


def _fill(model: SegModel, state: dict[str, Tensor], path: Path) -> None:
    start = _common_start(state, "encoder.")
    plain = {key.removeprefix(start): value for key, value in state.items()}
    wanted = set(model.network.state_dict())
    unused = [key for key in plain if key not in wanted and key.startswith(_UNUSED)]
    for key in unused:
        del plain[key]
    try:
        model.network.load_state_dict(plain)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise BadFile(
            f"The weights of {path.name} do not fit its arguments: {lines[-1].strip()[:200]}",
            "Check architecture, encoder, number of channels and of classes.",
        ) from error


def _common_start(state: Mapping[str, Tensor], inside: str) -> str:
    """What trainers put before every name (``model.``), found before the encoder's."""
    found = {key.partition(inside)[0] for key in state if inside in key}
    start = min(found, key=len, default="")
    return start if start and all(key.startswith(start) for key in state) else ""


def _check_size(model: SegModel, taken: Mapping[str, Any]) -> None:
    """A head that enlarges by another factor than ours gives another size than the picture's."""
    from torch import nn

    told = taken.get("upsampling")
    scales = [m for m in model.network.modules() if isinstance(m, nn.Upsample)]
    if told is not None and scales and scales[-1].scale_factor != float(told):
        raise MaskwrightError(
            f"The checkpoint enlarges its output {told} times, which is not the picture's size.",
            "Only models whose masks have the picture's size can be imported.",
        )


def _two_classes(one: SegModel, classes: ClassSet) -> SegModel:
    """The same network with an output of zero before its own: softmax of both is its sigmoid."""
    import torch

    from segcore.models.segmodel import SegModel

    model = SegModel(one.spec.changed(classes=classes))
    state = model.state_dict()
    head = {id(p): name for name, p in model.named_parameters()}
    grown = {head[id(p)] for p in model.head.parameters()}
    with torch.no_grad():
        for name, value in one.state_dict().items():
            state[name] = torch.cat([torch.zeros_like(value), value]) if name in grown else value
    model.load_state_dict(state)
    return model.eval()
