"""Write segcore/models/encoders.json: what every encoder of smp and timm can do, as tried out.

    python packaging/encoder_table.py [--only WORD] [--kin]

Each encoder is built on torch's meta device, where numbers take no room, and sent a picture; what
comes back says how its features lie, whether it can be dilated, and which sizes it takes. Run it
again when segmentation-models-pytorch or timm changes, with the old table taken away (about forty
minutes on one core; a stopped run goes on); a test compares the table with what is installed. With
--kin one of each kind is tried and the others take its row, which then says whose it is; a later
run without it tries these as well.
"""

from __future__ import annotations

import argparse
import json
import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from segmentation_models_pytorch.encoders.timm_vit import TimmViTEncoder
from timm.models import _registry

TABLE = Path(__file__).resolve().parents[1] / "segcore" / "models" / "encoders.json"
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"strict_img_size": False}, {"dynamic_img_size": True})


@cache
def plain(name: str) -> torch.nn.Module:
    """What smp looks at before it builds an encoder, made once for all of its strides."""
    with torch.device("meta"):
        return create_model(name, features_only=True)


create_model = timm.create_model


def create(name: str, **settings: Any) -> torch.nn.Module:
    return plain(name) if settings == {"features_only": True} else create_model(name, **settings)


def build(name: str, **settings: Any) -> torch.nn.Module:
    """The encoder without numbers; on the processor where it cannot be had so."""
    try:
        with torch.device("meta"):
            return smp.encoders.get_encoder(name, weights=None, **settings).eval()
    except (RuntimeError, NotImplementedError) as error:
        if "meta" not in str(error):
            raise
        return smp.encoders.get_encoder(name, weights=None, **settings).eval()


def sizes(encoder: torch.nn.Module, height: int, width: int) -> list[tuple[int, int, int]]:
    device = next(encoder.parameters()).device
    with torch.no_grad():
        features = encoder(torch.empty(1, 3, height, width, device=device))
    return [tuple(f.shape[1:]) for f in features]


def is_aligned(found: list[tuple[int, int, int]], height: int, width: int, stride: int) -> bool:
    steps = [min(s, stride) for s in (1, 2, 4, 8, 16, 32)]
    return [f[1:] for f in found] == [(height // s, width // s) for s in steps]


def works(
    name: str, multiple: int, stride: int = 32, **settings: Any
) -> tuple[list[int], float] | None:
    """Channels of the features and millions of parameters, or None off the grid."""
    dilated = {} if stride == 32 else {"output_stride": stride}
    encoder = build(name, **dilated, **settings)
    tried = [(96, 160), (32, 64)] if multiple == 32 else [(multiple, 2 * multiple)]
    if dilated:
        del tried[1:]  # it is the same network, and its sizes are known
    channels: list[int] = []
    for height, width in tried:
        found = sizes(encoder, height, width)
        if not is_aligned(found, height, width, stride):
            return None
        channels = [f[0] for f in found]
    return channels, parameters(encoder)


def multiples(name: str) -> list[int]:
    """What heights and widths may have to be multiples of: the size it was made for comes last."""
    found = [32, 64]
    config = timm.get_pretrained_cfg(name[3:]) if name.startswith("tu-") else None
    if config is not None and config.input_size[1] % 32 == 0:
        found.append(config.input_size[1])
    return found


def parameters(encoder: torch.nn.Module) -> float:
    return round(sum(p.numel() for p in encoder.parameters()) / 1e6, 2)


def row_of(name: str) -> dict[str, Any]:
    """One row: ``style``, ``dilates``, ``multiple``, ``settings``, ``millions``, or ``why`` not."""
    why = ""
    for settings in SETTINGS:
        for multiple in multiples(name) if not settings else (32,):
            try:
                found = works(name, multiple, **settings)
            except Exception as error:
                if not settings and multiple == 32:
                    why = reason(error)
                if multiple == 32 and isinstance(error, TypeError):
                    break
                if "downsampling pattern" in str(error) or "features_only" in str(error):
                    return vit_row(name) or {"why": why}
                continue
            if found is None:
                why = why or "its features do not lie on a grid of halves"
                break
            channels, millions = found
            strides = [16] if dilates(name, multiple, 16, settings) else []
            strides += [8] if strides and dilates(name, multiple, 8, settings) else []
            row: dict[str, Any] = {
                "style": "late" if channels[1] == 0 else "early" if channels[0] != 3 else "halves",
                "dilates": strides,
                "millions": millions,
            }
            if multiple != 32:
                row["multiple"] = multiple
            if settings:
                row["settings"] = settings
            return row
    return vit_row(name) or {"why": why}


def reason(error: Exception) -> str:
    """What an encoder's refusal means; its own words are about tensors."""
    text = str(error)
    if "downsampling pattern" in text or "features_only" in text:
        return "it gives features of one size, in a form that is not read"
    return "it takes pictures of one size only"


def dilates(name: str, multiple: int, stride: int, settings: dict[str, Any]) -> bool:
    try:
        return works(name, multiple, stride, **settings) is not None
    except Exception:
        return False


def vit_row(name: str) -> dict[str, Any] | None:
    """A row for an encoder that gives tokens of one patch size, if that is what it is."""
    if not name.startswith("tu-"):
        return None
    try:
        with torch.device("meta"):
            encoder = TimmViTEncoder(name[3:], pretrained=False, dynamic_img_size=True).eval()
            patch = encoder.output_stride
            with torch.no_grad():
                features, _ = encoder(torch.empty(1, 3, 4 * patch, 6 * patch))
    except Exception:
        return None
    if any(tuple(f.shape[2:]) != (4, 6) for f in features):
        return None
    return {
        "style": "tokens",
        "patch": patch,
        "prefix": bool(encoder.has_prefix_tokens),
        "millions": parameters(encoder),
    }


def names(only: str) -> Iterable[str]:
    every = [*smp.encoders.get_encoder_names(), *(f"tu-{n}" for n in timm.list_models())]
    return (n for n in every if only in n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only encoders with this word in their name")
    parser.add_argument("--kin", action="store_true", help="try one encoder of each kind")
    given = parser.parse_args()
    wanted = given.only
    warnings.simplefilter("ignore")
    timm.create_model = create
    for name in ("trunc_normal_", "normal_", "kaiming_normal_", "xavier_uniform_", "uniform_"):
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)  # nobody looks at the numbers
    table = json.loads(TABLE.read_text("utf-8"))["encoders"] if TABLE.is_file() else {}
    for number, name in enumerate(names(wanted)):
        if given.kin and (like := relative(name, table)) and name not in table:
            row = {k: v for k, v in table[like].items() if k != "millions"}
            table[name] = row | {"like": like}
        elif name not in table or wanted or "like" in table[name]:
            table[name] = row_of(name)
            print(name, json.dumps(table[name]), flush=True)
        if number % 50 == 0:
            write(table)
    write(table)


def kind(name: str) -> tuple[str, ...]:
    """What encoders that are alike but for their size have in common."""
    bare = name.removeprefix("tu-")
    if bare == name:
        return (name,)
    module = _registry._model_to_module[bare]
    letters = re.match("[a-z]*", bare)
    patch = re.search(r"patch\d+|_p\d+_", bare)
    size = str(multiples(name)[-1]) if module == "maxxvit" else ""
    return module, letters[0] if letters else "", patch[0] if patch else "", size


def relative(name: str, table: dict[str, Any]) -> str | None:
    """An encoder of the same kind that was tried."""
    if not _kinds:
        for other, row in table.items():
            if "like" not in row:
                _kinds.setdefault(kind(other), other)
    found = _kinds.get(kind(name))
    if found is None:
        _kinds[kind(name)] = name  # it is tried next
    return found if found != name else None


_kinds: dict[tuple[str, ...], str] = {}


def write(table: dict[str, Any]) -> None:
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    versions = {"segmentation-models-pytorch": smp.__version__, "timm": timm.__version__}
    TABLE.write_text(
        f'{{\n "made with": {json.dumps(versions)},\n "encoders": {{\n{rows}\n }}\n}}\n', "utf-8"
    )


if __name__ == "__main__":
    main()
