"""What a run's model is given to see: how intensities are prepared, and how many channels.

Known without building the model, so that a preview of the crops need not wait for one.
"""

from __future__ import annotations

from pathlib import Path

from segcore.models.encoders import encoder_preparation
from segcore.models.prepare import Preparation
from segcore.models.registry import make_spec
from segcore.models.spec import ModelSpec
from segcore.train import runs
from segcore.train.frozen import FrozenData, FrozenItem
from segcore.train.recipe import Recipe, parse_options


def seen_by_model(run_dir: Path, recipe: Recipe, data: FrozenData) -> tuple[Preparation, int]:
    """Preparation and channels: those of the model that goes on, else what the recipe says.

    Raises
    ------
    MaskwrightError : an unknown architecture, encoder or option; an image that cannot be opened.
    """
    if (run_dir / runs.BASE).is_dir():
        old = ModelSpec.read(run_dir / runs.BASE)
        return old.preparation, old.channels
    channels = _channels(data.items[0])
    spec = make_spec(
        recipe.arch,
        classes=data.classes,
        channels=channels,
        encoder=recipe.encoder,
        **parse_options(recipe.options),
    )
    usual = encoder_preparation(spec.encoder, channels)
    if recipe.preparation == "model":
        return usual, channels
    return Preparation(recipe.preparation, usual.mean, usual.std), channels


def _channels(item: FrozenItem) -> int:
    """Channels of the model for such items: 3 for one (grey is repeated) or three, else as many.

    Three, so that the encoder's first weights fit and grey and colour pictures go together.
    """
    from segcore.images import open_all

    with open_all(item.sources, as_stack=item.as_stack) as source:
        count = source.channels
    return 3 if count == 1 else count
