"""Whether the first weights of an encoder are on this machine already; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from segcore.models.encoders import packaged_lite0

_HERE = "ImageNet weights are on this machine"
_FAR = "ImageNet weights are fetched at the start, where the hub can be reached"


def first_weights(encoder: str) -> str:
    """Which first weights a new model on this encoder gets, as a sentence without its full stop.

    "" for a family without an encoder. Imports the libraries that know where they keep them.
    """
    if not encoder:
        return ""
    if "tf_efficientnet_lite0" in encoder and packaged_lite0() is not None:
        return f"{_HERE} (a package, Apache-2.0)"
    if encoder.startswith("vgg"):
        return _HERE if _has_torchvision(encoder) else _FAR
    home = _home(encoder)
    if home is None:
        return "There are no ImageNet weights of this encoder; it starts from random numbers"
    return _HERE if _is_cached(*home) else _FAR


def _home(encoder: str) -> tuple[str, str | None] | None:
    """Repository and revision of the weights on the hub."""
    if encoder.startswith("tu-"):
        import timm

        try:
            found = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
        except (RuntimeError, KeyError):
            return None
        return None if found is None or not found.hf_hub_id else (str(found.hf_hub_id), None)
    import segmentation_models_pytorch as smp

    offered = smp.encoders.encoders.get(encoder, {}).get("pretrained_settings") or {}
    if not offered:
        return None
    best = offered.get("imagenet") or next(iter(offered.values()))
    return (best["repo_id"], best.get("revision")) if "repo_id" in best else None


def _is_cached(repository: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = ("model.safetensors", "pytorch_model.bin")
    return any(
        isinstance(try_to_load_from_cache(repository, name, revision=revision), str)
        for name in names
    )


def _has_torchvision(name: str) -> bool:
    import torch
    import torchvision

    url = torchvision.models.get_model_weights(name).DEFAULT.url
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name).is_file()
