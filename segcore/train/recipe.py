"""How a model is trained: one frozen row of settings, each with a type, a default and a sentence.

The command line's options, the dialog and ``run.json`` are made from the same table. No torch.
"""

from __future__ import annotations

import json
import shlex
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field, fields, replace
from typing import Any, Literal, get_args, get_origin

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass

Optimiser = Literal["adamw", "sgd", "ranger"]
Schedule = Literal["poly", "cosine", "one-cycle", "constant"]
Freeze = Literal["none", "encoder", "norm"]
Balance = Literal["none", "sqrt", "inverse", "effective"]
Colour = Literal["none", "mild", "strong"]
Preparing = Literal["model", "imagenet", "percentile", "mean-std"]
Targets = Literal["reviewed", "truth", "all"]
LOSS_NAMES = ("ce", "dice", "iou", "focal", "tversky", "lovasz", "boundary")

CROP_AREA = 256 * 320  # pixels; a step of eight such crops takes about a second on two cores


def _say(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True)
class Recipe:
    """Every setting of a training; see `describe` for the table."""

    arch: str = field(default="fpn", metadata=_say("Architecture, a name of the registry"))
    encoder: str | None = field(
        default=None, metadata=_say("Encoder; none given is the architecture's default")
    )
    options: str = field(
        default="", metadata=_say("Options of a new architecture, such as stride=16 at_once=true")
    )
    weights: str | None = field(
        default="imagenet", metadata=_say("First weights of the encoder: imagenet, a file, or none")
    )
    steps: int | None = field(default=None, metadata=_say("Optimiser steps"))
    epochs: float | None = field(
        default=None, metadata=_say("Passes over the training items, where no steps are given")
    )
    minutes: float | None = field(
        default=None, metadata=_say("Most minutes of wall time; the schedule ends with them")
    )
    batch: int = field(default=8, metadata=_say("Pictures in one optimiser step"))
    crop_height: int | None = field(
        default=None, metadata=_say("Rows of a training crop; none given fits the items")
    )
    crop_width: int | None = field(
        default=None, metadata=_say("Columns of a training crop; none given fits the items")
    )
    scale_low: float = field(default=0.65, metadata=_say("Smallest random magnification"))
    scale_high: float = field(default=1.6, metadata=_say("Largest random magnification"))
    flip: float = field(default=0.5, metadata=_say("Chance of a left-right flip"))
    flip_vertical: float = field(default=0.0, metadata=_say("Chance of a top-bottom flip"))
    turn: float = field(default=0.0, metadata=_say("Chance of a quarter turn"))
    rotate: float = field(default=0.0, metadata=_say("Largest random rotation in degrees"))
    colour: Colour = field(default="mild", metadata=_say("Random brightness, contrast and colour"))
    blur: float = field(
        default=0.0, metadata=_say("Largest random blur, the standard deviation in pixels")
    )
    noise: float = field(
        default=0.0, metadata=_say("Largest random noise, as a share of the values' own spread")
    )
    lr: float | None = field(
        default=None, metadata=_say("Highest learning rate; default 1e-3, 8e-4 when fine-tuning")
    )
    encoder_lr: float = field(
        default=0.5, metadata=_say("The encoder's learning rate as a share of the highest")
    )
    optimiser: Optimiser = field(default="adamw", metadata=_say("Optimiser"))
    weight_decay: float = field(
        default=0.02, metadata=_say("Decoupled weight decay of kernels (not of norms and biases)")
    )
    schedule: Schedule = field(default="poly", metadata=_say("How the learning rate falls"))
    warmup: float = field(
        default=0.05, metadata=_say("Share of the steps in which the learning rate rises")
    )
    accumulate: int = field(
        default=1, metadata=_say("Parts in which a batch goes through the network, to save memory")
    )
    clip: float = field(default=5.0, metadata=_say("Largest norm of the gradient; 0 is no limit"))
    loss: str = field(
        default="ce+dice",
        metadata=_say(f"Sum of {', '.join(LOSS_NAMES)}; weighted like ce+0.5*dice"),
    )
    smoothing: float = field(
        default=0.0, metadata=_say("Share of ce's target that is spread over all classes")
    )
    focal_gamma: float = field(
        default=2.0, metadata=_say("How much less focal weighs pixels that are right already")
    )
    tversky_alpha: float = field(
        default=0.3, metadata=_say("Weight in tversky of what is found too much; 0.5 is dice")
    )
    aux: float = field(
        default=0.4, metadata=_say("Weight of the loss of each auxiliary head, where there are any")
    )
    balance: Balance = field(
        default="sqrt", metadata=_say("Weights of classes in ce and focal by how rare they are")
    )
    ema: float = field(
        default=0.99,
        metadata=_say("Decay of the running mean of the weights that is kept; 0 is none"),
    )
    freeze: Freeze = field(
        default="none",
        metadata=_say("What stays as it is: none, the encoder, or the norms' statistics"),
    )
    replay: float = field(
        default=0.5,
        metadata=_say("Share of earlier items in a batch when a model is trained further"),
    )
    rare: float | None = field(
        default=None,
        metadata=_say(
            "Chance that a crop is laid on a class drawn by how rare it is, above 0 always for "
            "earlier items; default 0, 0.5 when fine-tuning"
        ),
    )
    model_weight: float = field(
        default=0.5,
        metadata=_say(
            "Weight of a pixel that a model set in an accepted item; what a person set weighs 1"
        ),
    )
    seed: int = field(default=0, metadata=_say("Seed of all randomness"))
    preparation: Preparing = field(
        default="model", metadata=_say("Intensity preparation of a new model")
    )
    targets: Targets = field(
        default="reviewed",
        metadata=_say(
            "Labels that a person corrected or accepted; truth; or truth where there is one, else "
            "reviewed"
        ),
    )
    checkpoint_seconds: float = field(default=60.0, metadata=_say("Seconds between checkpoints"))
    half: bool = field(
        default=True, metadata=_say("Store float16 if the score moves by less than 0.001")
    )
    score_every: int = field(
        default=0, metadata=_say("Steps between scores on held-out items; 0 is at the end only")
    )

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for row in fields(self):
            value, kind = getattr(self, row.name), hints[row.name]
            if get_origin(kind) is Literal and value not in get_args(kind):
                raise MaskwrightError(
                    f'The setting {row.name} is "{value}".',
                    f"Use one of {', '.join(get_args(kind))}.",
                )
        checks = [
            ("steps", self.steps is None or self.steps >= 1, "at least 1"),
            ("epochs", self.epochs is None or self.epochs > 0, "above 0"),
            ("minutes", self.minutes is None or self.minutes > 0, "above 0"),
            ("batch", self.batch >= 1, "at least 1"),
            ("crop_height", self.crop_height is None or self.crop_height >= 32, "at least 32"),
            ("crop_width", self.crop_width is None or self.crop_width >= 32, "at least 32"),
            ("scale_low", 0 < self.scale_low <= self.scale_high, "above 0, at most scale_high"),
            ("rotate", 0 <= self.rotate <= 180, "from 0 to 180"),
            ("blur", 0 <= self.blur <= 10, "from 0 to 10"),
            ("noise", 0 <= self.noise <= 10, "from 0 to 10"),
            ("lr", self.lr is None or self.lr > 0, "above 0"),
            ("ema", 0 <= self.ema < 1, "from 0 to below 1"),
            ("replay", 0 <= self.replay < 1, "from 0 to below 1"),
            ("rare", self.rare is None or 0 <= self.rare <= 1, "from 0 to 1"),
            ("model_weight", 0 <= self.model_weight <= 1, "from 0 to 1"),
            ("warmup", 0 <= self.warmup < 1, "from 0 to below 1"),
            ("smoothing", 0 <= self.smoothing < 1, "from 0 to below 1"),
            ("focal_gamma", self.focal_gamma >= 0, "at least 0"),
            ("tversky_alpha", 0 <= self.tversky_alpha <= 1, "from 0 to 1"),
            ("aux", self.aux >= 0, "at least 0"),
            ("accumulate", self.accumulate >= 1, "at least 1"),
        ]
        for name, holds, want in checks:
            if not holds:
                raise MaskwrightError(
                    f"The setting {name} is {getattr(self, name)}.", f"Give a number {want}."
                )
        parse_loss(self.loss)
        parse_options(self.options)

    def changed(self, **settings: Any) -> Recipe:
        return replace(self, **settings)

    def to_json(self) -> dict[str, Any]:
        return {row.name: getattr(self, row.name) for row in fields(self)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_json` wrote; a setting it lacks has its default.

        Raises
        ------
        MaskwrightError : a setting that this program does not know, or a value out of range.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(row) - known)
        if unknown:
            raise MaskwrightError(
                f'The recipe has the unknown setting "{unknown[0]}".',
                "Update Maskwright, or remove the setting.",
            )
        return cls(**row)

    def crop(self, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """Rows and columns of a training crop for items of these sizes (h, w).

        What is not given follows the median size, cut to `CROP_AREA` pixels in its proportions
        and to multiples of 32, so that a step takes about as long whatever the pictures are.
        """
        height = sorted(size[0] for size in sizes)[len(sizes) // 2]
        width = sorted(size[1] for size in sizes)[len(sizes) // 2]
        share = min(1.0, (CROP_AREA / (height * width)) ** 0.5)
        return (
            self.crop_height or max(64, round(height * share / 32) * 32),
            self.crop_width or max(64, round(width * share / 32) * 32),
        )

    def total_steps(self, items: int) -> int:
        """Steps of the whole run for so many training items; 300 where nothing was asked for.

        With `minutes` alone the number is an upper bound that the clock cuts.
        """
        if self.steps is not None:
            return self.steps
        if self.epochs is not None:
            return max(1, round(self.epochs * items / self.batch))
        return 300 if self.minutes is None else 1_000_000

    def learning_rate(self, continued: bool) -> float:
        """The highest learning rate; lower where a trained model is trained further."""
        if self.lr is not None:
            return self.lr
        # Chosen on a drive of CamVid that was held out of the first training: 200 steps on 20 of
        # its frames gave 0.027 on later ones, at 4e-4 0.022, from 0.450; see the architecture.
        return 8e-4 if continued else 1e-3

    def rare_share(self, continued: bool) -> float:
        """The chance that a crop is laid on a rare class; some where a model is trained further."""
        if self.rare is not None:
            return self.rare
        # Chosen on two drives of CamVid that were held out of the first training, two seeds each:
        # 0.004 more on later frames and 0.011 more on val; see the architecture.
        return 0.5 if continued else 0.0


@dataclass(frozen=True)
class SettingRow:
    """One row of the table of settings; an optional one may be None."""

    name: str
    type: str
    default: Any
    help: str
    choices: tuple[str, ...]
    optional: bool


def describe() -> list[SettingRow]:
    """The table of settings, for dialogs, ``--help`` and the manual."""
    rows = []
    hints = typing.get_type_hints(Recipe)
    for row in fields(Recipe):
        kind = hints[row.name]
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        default = None if row.default is MISSING else row.default
        name = "choice" if choices else str(getattr(kind, "__name__", kind))
        if not choices and get_args(kind):
            name = next(a.__name__ for a in get_args(kind) if a is not type(None))
        optional = type(None) in get_args(kind)
        rows.append(SettingRow(row.name, name, default, row.metadata["help"], choices, optional))
    return rows


def parse_options(text: str) -> dict[str, Any]:
    """Options of an architecture, written ``name=value`` with blanks between.

    A value is JSON where it can be read as that (``16``, ``true``, ``[64,32]``), else a text.

    Raises
    ------
    MaskwrightError : a part without ``=``, or a quotation that does not end.
    """
    try:
        parts = shlex.split(text)
    except ValueError:
        parts = [""]  # a quotation does not end
    found: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not (name and equals and value):
            raise MaskwrightError(
                f'"{part or text}" is no option of an architecture.',
                "Write name=value, as in stride=16.",
            )
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def parse_loss(text: str) -> dict[str, float]:
    """Weights of the terms of a loss such as ``ce+dice`` or ``1.0*ce+0.5*dice``.

    Raises
    ------
    MaskwrightError : a term that is no loss, a weight that is no number above 0.
    """
    terms: dict[str, float] = {}
    for part in text.replace(" ", "").split("+"):
        weight, star, name = part.rpartition("*")
        try:
            factor = float(weight) if star else 1.0
        except ValueError:
            factor = 0.0
        if name not in LOSS_NAMES or factor <= 0 or name in terms:
            raise MaskwrightError(
                f'"{text}" is no loss.',
                f"Write a sum of {', '.join(LOSS_NAMES)}, such as ce+dice or ce+0.5*dice.",
            )
        terms[name] = factor
    return terms
