"""All that a training step needs, set up from a run's folder, and the step itself.

The loop goes round with it; the preflight runs a few steps of it to tell what a run will cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass
from segcore.infer.device import Device, is_out_of_memory
from segcore.models.building import build
from segcore.models.heads import for_project
from segcore.models.output import Targets
from segcore.models.segmodel import SegModel
from segcore.models.weights import load_model
from segcore.train import runs
from segcore.train.checkpoint import Progress
from segcore.train.data import Batch, Batches, channel_table
from segcore.train.depthwise import speed_up_depthwise
from segcore.train.frozen import FrozenData, FrozenItem
from segcore.train.losses import LossSettings, combined
from segcore.train.optimise import RunningMean, make_optimiser, rate_factor
from segcore.train.recipe import Recipe, parse_loss, parse_options
from segcore.train.seen import seen_by_model
from segcore.train.sides import sides

_KEPT = "keeps_statistics"
Note = Callable[[str], None]


@dataclass
class Work:
    """A model with everything that moves it.

    Parameters
    ----------
    model : what is trained; old : what it was trained from, for comparison, or None.
    steps : of the whole run; rate : the highest learning rate.
    terms, told : the loss.
    kept_rows : parameters, rows and values of the head that must stay as they are.
    """

    recipe: Recipe
    device: Device
    model: SegModel
    old: SegModel | None
    optimiser: torch.optim.Optimizer
    mean: RunningMean
    batches: Batches
    steps: int
    rate: float
    terms: dict[str, float]
    told: LossSettings
    kept_rows: list[tuple[nn.Parameter, list[int], Tensor]]

    def set_rate(self, done: float) -> float:
        """Set the learning rate for the share `done` of the run; returns the highest group's."""
        factor = rate_factor(self.recipe, done)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base_lr"] * factor
        return self.rate * factor

    def step(self, batch: Batch, progress: Progress, note: Note | None = None) -> None:
        """Forward, backward and update; in more and smaller parts where memory runs out.

        Raises
        ------
        MaskwrightError : the loss is no number any more.
        """
        torch.manual_seed(self.recipe.seed * 1_000_003 + progress.step)
        while True:
            try:
                loss = self.gradients(batch, progress.parts)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or progress.parts >= len(batch.images):
                    raise
            progress.parts = min(2 * progress.parts, len(batch.images))
            if note is not None:
                note(f"memory ran out: {progress.parts} parts a step")
            if self.device.name.startswith("cuda"):
                torch.cuda.empty_cache()
        if not math.isfinite(loss):
            raise MaskwrightError(
                f"The loss is no number any more at step {progress.step}.",
                "Lower the learning rate, or look for images with values that are not finite.",
            )
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(
                [p for p in self.model.parameters() if p.requires_grad],
                self.recipe.clip,
                foreach=True,
            )
        self.optimiser.step()
        with torch.no_grad():
            for parameter, rows, values in self.kept_rows:
                parameter[rows] = values  # weight decay must not wear off what is not trained
        self.mean.update(self.model)
        progress.loss = loss
        progress.step += 1

    def gradients(self, batch: Batch, parts: int) -> float:
        """Gradients of a batch, summed over `parts`; returns the loss."""
        self.model.train()
        for module in self.model.modules():
            if getattr(module, _KEPT, False):
                module.eval()
        self.optimiser.zero_grad(set_to_none=True)
        assert self.told.class_weight is not None  # set_up makes one a class
        channels = len(self.told.class_weight)
        total = 0.0
        size = len(batch.images)
        for chosen in torch.arange(size).chunk(parts):
            images = batch.images[chosen].to(self.device.name, memory_format=torch.channels_last)
            target = batch.target[chosen].to(self.device.name)
            weight = None if batch.weight is None else batch.weight[chosen].to(self.device.name)
            targets = None
            if self.model.own_losses:
                assert batch.instances is not None  # set_up looks for them
                targets = Targets(
                    target,
                    batch.instances[chosen].to(self.device.name),
                    tuple(
                        (ids[chosen].to(self.device.name), numbers[chosen].to(self.device.name))
                        for ids, numbers in batch.further
                    ),
                )
            with self.device.autocast():
                output = self.model(images, targets)
            # Of a network with losses of its own, which weigh all items alike.
            loss = sum(output.losses.values(), images.new_zeros(()))
            if share_of_logits := self.model.semantic_share:
                # Classes that the run's data do not know come last and take no part.
                logits = output.logits[:, :channels]
                loss = loss + share_of_logits * combined(
                    self.terms, logits, target, weight, self.told
                )
            for side in sides(output, target, weight, self.terms, self.recipe.aux):
                loss = loss + side.factor * combined(
                    side.terms, side.logits[:, :channels], side.target, side.weight, self.told
                )
            share = len(chosen) / size
            (loss * share).backward()
            total += loss.item() * share
        return total


def set_up(
    run_dir: Path, recipe: Recipe, data: FrozenData, device: Device, *, continued: bool
) -> Work:
    """Everything for the steps of a run.

    Parameters
    ----------
    continued : whether a trained model is trained further, which asks for smaller steps.

    Raises
    ------
    MaskwrightError : there is nothing to train on, or the model cannot be built.
    """
    train_items, replay_items = data.of("train"), data.of("replay")
    if not train_items:
        raise MaskwrightError("The run has no item to train on.", "Make it again with some.")
    torch.manual_seed(recipe.seed)
    model, old = start_model(run_dir, recipe, data)
    if model.own_losses and not any(item.instances for item in (*train_items, *replay_items)):
        raise MaskwrightError(
            "The run has no objects to learn from.",
            "Train on items whose things are told apart, or choose a semantic model.",
        )
    model = model.to(device.name)
    if device.name != "mps":
        model = model.to(memory_format=torch.channels_last)
    if device.name == "cpu":
        speed_up_depthwise(model)
    _freeze(model, recipe)
    rate = recipe.learning_rate(continued)
    return Work(
        recipe=recipe,
        device=device,
        model=model,
        old=old,
        optimiser=make_optimiser(model, recipe, rate),
        mean=RunningMean(model, recipe.ema),
        batches=Batches(
            train_items,
            replay_items,
            recipe,
            model.spec.preparation,
            model.spec.channels,
            channel_table(model.spec.classes),
            rare=recipe.rare_share(continued),
        ),
        steps=recipe.total_steps(len(train_items)),
        rate=rate,
        terms=parse_loss(recipe.loss),
        told=LossSettings(
            class_weight=class_weights(train_items, model, recipe).to(device.name),
            smoothing=recipe.smoothing,
            gamma=recipe.focal_gamma,
            alpha=recipe.tversky_alpha,
        ),
        kept_rows=_frozen_rows(model),
    )


def start_model(
    run_dir: Path, recipe: Recipe, data: FrozenData
) -> tuple[SegModel, SegModel | None]:
    """The model to train, and the one it is measured against where a run goes on from one."""
    if (run_dir / runs.BASE).is_dir():
        old = load_model(run_dir / runs.BASE)
        model, _ = for_project(old, data.classes)
        return model, old
    preparation, channels = seen_by_model(run_dir, recipe, data)
    model = build(
        recipe.arch,
        classes=data.classes,
        channels=channels,
        encoder=recipe.encoder,
        weights=recipe.weights,
        preparation=preparation,
        **parse_options(recipe.options),
    )
    return model, None


def class_weights(items: Sequence[FrozenItem], model: SegModel, recipe: Recipe) -> Tensor:
    """(C,) float32: one factor a class of the run's data for the cross entropy.

    ``inverse``: median frequency / frequency (Eigen & Fergus 2015, arXiv:1411.4734), ``sqrt``: its
    root; ``effective``: the inverse of the effective number of pixels, (1 - b^n) / (1 - b) with
    b = 1 - 1 / m (Cui et al. 2019, equation 2, arXiv:1901.05555), m the median class's pixels,
    over the median's. All within 1/4 .. 4. Frozen classes are not among them.
    """
    frozen = set(model.spec.frozen)
    classes = [c for c in model.spec.classes.scored if c.uuid not in frozen]
    counts = np.array([sum(i.counts.get(int(c.id), 0) for i in items) for c in classes], float)
    weights = np.ones(len(classes))
    held = counts > 0
    if recipe.balance != "none" and held.any():
        pixels, middle = counts[held], float(np.median(counts[held]))
        if recipe.balance == "effective":
            # (1 - 1 / m)^n is exp(-n / m) but for one part in m.
            pixels, middle = -np.expm1(-pixels / middle), -float(np.expm1(-1.0))
        ratio = middle / pixels
        weights[held] = np.clip(np.sqrt(ratio) if recipe.balance == "sqrt" else ratio, 0.25, 4.0)
    return torch.tensor(weights, dtype=torch.float32)


def _freeze(model: SegModel, recipe: Recipe) -> None:
    if recipe.freeze == "encoder":
        for parameter in model.encoder_parameters():
            parameter.requires_grad_(False)
    part = {"none": None, "encoder": model.encoder, "norm": model.network}[recipe.freeze]
    for module in part.modules() if part is not None else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            setattr(module, _KEPT, True)


def _frozen_rows(model: SegModel) -> list[tuple[nn.Parameter, list[int], Tensor]]:
    """Rows of the heads that stay: weight decay must not wear off what is not trained."""
    frozen = set(model.spec.frozen)
    rows = [k for k, c in enumerate(model.spec.classes.scored) if c.uuid in frozen]
    if not rows:
        return []
    axes = model.class_axes()
    found = []
    for name, parameter in model.named_parameters():
        if 0 in axes.get(name, {}):
            of = [axes[name][0] + row for row in rows]
            found.append((parameter, of, parameter.detach()[of].clone()))
    return found
