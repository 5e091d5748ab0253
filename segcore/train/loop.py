"""The training loop, from a run's folder to its result, read from top to bottom.

Events it writes: started, step, scored, checkpoint, done, failed, cancelled. A killed process can
be started again on the same folder and continues exactly where its checkpoint was made.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segcore.base import MaskwrightError
from segcore.infer.device import Device, choose_device, is_out_of_memory
from segcore.models.encoders import encoder_preparation
from segcore.models.heads import for_project
from segcore.models.prepare import Preparation
from segcore.models.registry import build
from segcore.models.segmodel import SegModel
from segcore.models.spec import ModelSpec
from segcore.models.weights import load_model, save_model
from segcore.train import runs
from segcore.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from segcore.train.data import Batch, Batches, channel_table
from segcore.train.depthwise import speed_up_depthwise
from segcore.train.frozen import FrozenData, FrozenItem, read_frozen
from segcore.train.losses import combined
from segcore.train.optimise import RunningMean, make_optimiser, rate_factor
from segcore.train.recipe import Recipe, parse_loss
from segcore.train.score import confusion, summary

_KEPT = "keeps_statistics"
REPORT_SECONDS = 0.5  # between events of steps
MEASURED_FROM = 5  # held-out items; fewer say too little to recommend anything by


def train(run_dir: Path, *, device: str | None = None) -> dict[str, Any]:
    """Train what a run's folder asks for, from its checkpoint if it has one.

    Returns
    -------
    The report, as in ``result/report.json``.

    Raises
    ------
    MaskwrightError : something a person can mend; also written as the event ``failed``.
    """
    run_dir = run_dir.absolute()
    run = runs.claim(run_dir)
    log = runs.EventLog(run_dir)
    try:
        with _stop_by_signal() as stopped:
            return _train(run_dir, run, log, choose_device(device), stopped)
    except BaseException as error:
        sentence = str(error) or type(error).__name__
        log.write("failed", reason=sentence, bug=not isinstance(error, MaskwrightError))
        raise


def _train(
    run_dir: Path,
    run: runs.Run,
    log: runs.EventLog,
    device: Device,
    stopped: Callable[[], bool],
) -> dict[str, Any]:
    # -- what is trained, on what -----------------------------------------------------------
    recipe, data = run.recipe, read_frozen(run_dir)
    train_items, replay_items = data.of("train"), data.of("replay")
    if not train_items:
        raise MaskwrightError("The run has no item to train on.", "Make it again with some.")
    torch.manual_seed(recipe.seed)
    model, old = start_model(run_dir, recipe, data)
    model = model.to(device.name)
    if device.name != "mps":
        model = model.to(memory_format=torch.channels_last)
    if device.name == "cpu" and device.bfloat16:
        speed_up_depthwise(model)
    steps = recipe.total_steps(len(train_items))
    rate = recipe.learning_rate(continued=run.base is not None)

    # -- how ----------------------------------------------------------------------------------
    _freeze(model, recipe)
    optimiser = make_optimiser(model, recipe, rate)
    mean = RunningMean(model, recipe.ema)
    progress = load_checkpoint(run_dir, model, optimiser, mean)
    resumed = progress is not None
    progress = progress or Progress()
    terms = parse_loss(recipe.loss)
    class_weight = class_weights(train_items, model, recipe).to(device.name)
    kept_rows = _frozen_rows(model)
    batches = Batches(
        train_items,
        replay_items,
        recipe,
        model.spec.preparation,
        model.spec.channels,
        channel_table(model.spec.classes),
    )
    log.write(
        "started",
        resumed=resumed,
        step=progress.step,
        steps=steps,
        items=len(train_items),
        replay=len(replay_items),
        held_out=len(data.of("held_out")),
        device=device.title,
        bfloat16=device.bfloat16,
        weights=model.spec.weights,
    )

    # -- the steps ----------------------------------------------------------------------------
    (run_dir / runs.CANCEL).unlink(missing_ok=True)
    saved = reported = time.monotonic()
    first, first_seconds, cancelled = progress.step, progress.seconds, False
    stream = batches.ahead(progress.step)
    with contextlib.closing(stream):
        while progress.step < steps:
            if stopped() or (run_dir / runs.CANCEL).exists():
                cancelled = True
                break
            _wait_while_paused(run_dir, stopped)
            began = time.monotonic()
            done = progress.step / steps
            if recipe.minutes is not None:
                done = max(done, progress.seconds / (60 * recipe.minutes))
                if done >= 1:
                    break
            factor = rate_factor(recipe, done)
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * factor
            torch.manual_seed(recipe.seed * 1_000_003 + progress.step)
            batch = next(stream)
            progress.loss = _step(
                model, optimiser, batch, terms, class_weight, recipe, device, progress, log
            )
            with torch.no_grad():
                for parameter, rows, values in kept_rows:
                    parameter[rows] = values
            mean.update(model)
            progress.step += 1
            now = time.monotonic()
            progress.seconds += now - began
            if now - reported >= REPORT_SECONDS or progress.step in (first + 1, steps):
                reported = now
                pace = (progress.step - first) / max(progress.seconds - first_seconds, 1e-9)
                left = (steps - progress.step) / pace
                if recipe.minutes is not None:
                    left = min(left, 60 * recipe.minutes - progress.seconds)
                log.write(
                    "step",
                    step=progress.step,
                    steps=steps,
                    loss=round(progress.loss, 6),
                    lr=rate * factor,
                    rate=round(pace, 4),
                    seconds_left=round(max(left, 0.0), 1),
                )
            if now - saved >= recipe.checkpoint_seconds:
                save_checkpoint(run_dir, progress, model, optimiser, mean)
                log.write("checkpoint", step=progress.step)
                saved = time.monotonic()
            if recipe.score_every and progress.step % recipe.score_every == 0:
                _score(model, mean, None, data, log, progress.step)
    save_checkpoint(run_dir, progress, model, optimiser, mean)
    log.write("checkpoint", step=progress.step)

    # -- the result ---------------------------------------------------------------------------
    report = _score(model, mean, old, data, log, progress.step)
    report |= {
        "name": run.name,
        "step": progress.step,
        "steps": steps,
        "minutes": round(progress.seconds / 60, 3),
        "loss": round(progress.loss, 6),
        "cancelled": cancelled,
        "parts": progress.parts,
        "device": device.title,
    }
    model.load_state_dict(mean.of(model))
    model.spec = _described(model, run, data, report)
    half = recipe.half and _half_is_as_good(model, data)
    report["float16"] = half
    report["digest"] = save_model(model, run_dir / runs.RESULT, half=half)
    draft = run_dir / runs.RESULT / (runs.REPORT + ".part")
    draft.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    draft.replace(run_dir / runs.RESULT / runs.REPORT)
    log.write("cancelled" if cancelled else "done", step=progress.step, report=report)
    return report


# -- one step ----------------------------------------------------------------------------------


def _step(
    model: SegModel,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    terms: dict[str, float],
    class_weight: Tensor,
    recipe: Recipe,
    device: Device,
    progress: Progress,
    log: runs.EventLog,
) -> float:
    """Forward, backward and update; in more and smaller parts where memory runs out."""
    while True:
        try:
            loss = _gradients(model, optimiser, batch, terms, class_weight, device, progress.parts)
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or progress.parts >= len(batch.images):
                raise
        progress.parts = min(2 * progress.parts, len(batch.images))
        log.write("step", step=progress.step, note=f"memory ran out: {progress.parts} parts a step")
        if device.name.startswith("cuda"):
            torch.cuda.empty_cache()
    if not math.isfinite(loss):
        raise MaskwrightError(
            f"The loss is no number any more at step {progress.step}.",
            "Lower the learning rate, or look for images with values that are not finite.",
        )
    if recipe.clip:
        nn.utils.clip_grad_norm_(
            [p for p in model.parameters() if p.requires_grad], recipe.clip, foreach=True
        )
    optimiser.step()
    return loss


def _gradients(
    model: SegModel,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    terms: dict[str, float],
    class_weight: Tensor,
    device: Device,
    parts: int,
) -> float:
    """Gradients of a batch, summed over `parts`; returns the loss."""
    model.train()
    _keep_norms(model)
    optimiser.zero_grad(set_to_none=True)
    channels = len(class_weight)
    total = 0.0
    size = len(batch.images)
    for chosen in torch.arange(size).chunk(parts):
        images = batch.images[chosen].to(device.name, memory_format=torch.channels_last)
        target = batch.target[chosen].to(device.name)
        weight = None if batch.weight is None else batch.weight[chosen].to(device.name)
        with device.autocast():
            logits = model(images).logits
        # Classes that the run's data do not know come last and take no part.
        loss = combined(terms, logits[:, :channels].float(), target, weight, class_weight)
        share = len(chosen) / size
        (loss * share).backward()  # type: ignore[no-untyped-call]
        total += loss.item() * share
    return total


# -- the start ---------------------------------------------------------------------------------


def start_model(
    run_dir: Path, recipe: Recipe, data: FrozenData
) -> tuple[SegModel, SegModel | None]:
    """The model to train, and the one it is measured against where a run goes on from one."""
    if (run_dir / runs.BASE).is_dir():
        old = load_model(run_dir / runs.BASE)
        model, _ = for_project(old, data.classes)
        return model, old
    channels = _channels(data.items[0])
    preparation: Preparation | None = None
    if recipe.preparation != "model":
        usual = encoder_preparation(recipe.encoder or "", channels)
        preparation = Preparation(recipe.preparation, usual.mean, usual.std)
    model = build(
        recipe.arch,
        classes=data.classes,
        channels=channels,
        encoder=recipe.encoder,
        weights=recipe.weights,
        preparation=preparation,
    )
    if preparation is not None:
        usual = encoder_preparation(model.spec.encoder, channels)
        model.spec = model.spec.changed(
            preparation=Preparation(preparation.kind, usual.mean, usual.std)
        )
    return model, None


def _channels(item: FrozenItem) -> int:
    """Channels of the model for such items: 3 for one (grey is repeated) or three, else as many.

    Three, so that the encoder's first weights fit and grey and colour pictures go together.
    """
    from segcore.images import open as open_image

    count = 0
    for path in item.sources:
        with open_image(path) as source:
            count += source.channels
    return 3 if count == 1 else count


def class_weights(items: Sequence[FrozenItem], model: SegModel, recipe: Recipe) -> Tensor:
    """(C,) float32: one factor a class of the run's data for the cross entropy.

    ``sqrt``: the root of (median frequency / frequency), ``inverse``: without the root (Eigen &
    Fergus 2015, arXiv:1411.4734), within 1/4 .. 4. Frozen classes are not among them.
    """
    frozen = set(model.spec.frozen)
    classes = [c for c in model.spec.classes.scored if c.uuid not in frozen]
    counts = np.array([sum(i.counts.get(int(c.id), 0) for i in items) for c in classes], float)
    weights = np.ones(len(classes))
    held = counts > 0
    if recipe.balance != "none" and held.any():
        ratio = np.median(counts[held]) / counts[held]
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


def _keep_norms(model: nn.Module) -> None:
    """Norms whose statistics the recipe keeps are never in training mode."""
    for module in model.modules():
        if getattr(module, _KEPT, False):
            module.eval()


def _frozen_rows(model: SegModel) -> list[tuple[nn.Parameter, list[int], Tensor]]:
    """Rows of the head that stay: weight decay must not wear off what is not trained."""
    frozen = set(model.spec.frozen)
    rows = [k for k, c in enumerate(model.spec.classes.scored) if c.uuid in frozen]
    if not rows:
        return []
    return [(p, rows, p.detach()[rows].clone()) for p in model.head.parameters()]


def _wait_while_paused(run_dir: Path, stopped: Callable[[], bool]) -> None:
    while runs.is_paused(run_dir) and not stopped() and not (run_dir / runs.CANCEL).exists():
        time.sleep(0.05)


@contextlib.contextmanager
def _stop_by_signal() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a polite kill end the run after its step; a second Ctrl-C at once."""
    flag = threading.Event()
    before: list[tuple[int, Any]] = []
    if threading.current_thread() is threading.main_thread():

        def stop(number: int, frame: object) -> None:
            if flag.is_set() and number == signal.SIGINT:
                raise KeyboardInterrupt
            flag.set()

        before = [(n, signal.signal(n, stop)) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield flag.is_set
    finally:
        for which, handler in before:
            signal.signal(which, handler)


# -- the end -----------------------------------------------------------------------------------


def _score(
    model: SegModel,
    mean: RunningMean,
    old: SegModel | None,
    data: FrozenData,
    log: runs.EventLog,
    step: int,
) -> dict[str, Any]:
    """Old against new on held-out items that neither was trained on."""
    seen = {item.digest for item in data.of("train", "replay")}
    seen |= set() if old is None else old.spec.digests
    items = [item for item in data.of("held_out") if item.digest not in seen]
    note = str(data.notes.get("held_out", ""))
    if len(items) < MEASURED_FROM:
        note = f"not measured: {len(items)} held-out items, {MEASURED_FROM} are needed"
        facts: dict[str, Any] = {"old": None, "new": None, "items": len(items), "note": note}
        log.write("scored", step=step, **facts)
        return facts
    own = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.load_state_dict(mean.of(model))
    new_scores = summary(confusion(model, items, data.classes), data.classes, len(items))
    model.load_state_dict(own)
    old_scores = None
    if old is not None:
        old_scores = summary(confusion(old, items, data.classes), data.classes, len(items))
    facts = {"old": old_scores, "new": new_scores, "items": len(items), "note": note}
    log.write("scored", step=step, **facts)
    return facts


def _half_is_as_good(model: SegModel, data: FrozenData) -> bool:
    """Whether float16 on disk moves the mean IoU by less than 0.001, on at most 16 items."""
    items = (data.of("held_out") or data.of("train"))[:16]
    before = summary(confusion(model, items, data.classes), data.classes, len(items))["mean_iou"]
    own = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.load_state_dict(
        {k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in own.items()}
    )
    after = summary(confusion(model, items, data.classes), data.classes, len(items))["mean_iou"]
    model.load_state_dict(own)
    return before is not None and after is not None and abs(before - after) < 0.001


def _described(
    model: SegModel, run: runs.Run, data: FrozenData, report: dict[str, Any]
) -> ModelSpec:
    """The model's self-description after the run; the data of its ancestors stay listed."""
    spec = model.spec
    rows = {row["digest"]: row for row in spec.data.get("items", ())}
    for item in data.of("train", "replay"):
        rows[item.digest] = {"name": item.name, "digest": item.digest}
    scores: dict[str, Any] = {}
    if report["new"] is not None:
        scores["held_out"] = {**report["new"], "note": report["note"]}
    made = {
        "run": run.name,
        "recipe": run.recipe.to_json(),
        "base": dict(run.base) if run.base else None,
        "steps": report["step"],
        "minutes": report["minutes"],
        "device": report["device"],
        "versions": dict(run.versions),
        "made": run.made,
    }
    return spec.changed(
        name=run.name,
        data={"items": list(rows.values())},
        scores=scores,
        seeds=(*spec.seeds, run.recipe.seed),
        licence=run.licence or spec.licence,
        attribution=run.attribution or spec.attribution,
        made=made,
        weights=f"model {run.base['name']} ({run.base['digest']})" if run.base else spec.weights,
    )
