"""What comes out of a run: old against new, the model's self-description, its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segcore.base import Cancelled
from segcore.base.whole import write_whole
from segcore.infer.comparing import MOST_IMAGES, Sample, check_model
from segcore.models.segmodel import SegModel
from segcore.models.spec import ModelSpec
from segcore.models.weights import save_model
from segcore.train import runs
from segcore.train.data import read_values
from segcore.train.frozen import FrozenData
from segcore.train.preflight import MEASURED_FROM
from segcore.train.score import confusion, score, summary
from segcore.train.work import Work

HALF_CHECKED = 16  # items at most on which float16 is compared with float32


def old_against_new(
    work: Work,
    data: FrozenData,
    *,
    with_old: bool = True,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Scores on held-out items that neither model was trained on: old, new, items, note.

    Parameters
    ----------
    cancel : asked before every tile; where it says so, nothing is measured.
    """
    model, old = work.model, work.old
    seen = {item.digest for item in data.of("train", "replay")}
    seen |= set() if old is None else old.spec.digests
    items = [item for item in data.of("held_out") if item.digest not in seen]
    if len(items) < MEASURED_FROM:
        note = f"not measured: {len(items)} held-out items, {MEASURED_FROM} are needed"
        return {"old": None, "new": None, "items": len(items), "note": note}
    own = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.load_state_dict(work.mean.of(model))
    old_scores = None
    try:
        new_scores = score(model, items, data.classes, cancel=cancel)
        if old is not None and with_old:
            old_scores = score(old, items, data.classes, cancel=cancel)
    except Cancelled:
        note = "not measured: cancelled"
        return {"old": None, "new": None, "items": len(items), "note": note}
    finally:
        model.load_state_dict(own)
    note = str(data.notes.get("held_out", ""))
    return {"old": old_scores, "new": new_scores, "items": len(items), "note": note}


def write_result(
    run_dir: Path, run: runs.Run, work: Work, data: FrozenData, report: dict[str, Any]
) -> None:
    """Write ``result/``: the averaged model, its description, and the report, completed.

    The description says at last which engines were seen to agree on the finished model.
    """
    model = work.model
    model.load_state_dict(work.mean.of(model))
    model.spec = _described(model, run, data, report)
    # Who cancels waits; float32, on disk and in use, needs no look.
    half = run.recipe.half and not report["cancelled"] and _half_is_as_good(model, data)
    report["float16"] = half
    report["digest"] = save_model(model, run_dir / runs.RESULT, half=half)
    if not report["cancelled"]:
        _compare_engines(run_dir / runs.RESULT, data)
    file = run_dir / runs.RESULT / runs.REPORT
    write_whole(file, json.dumps(report, indent=1, ensure_ascii=False))


def _half_is_as_good(model: SegModel, data: FrozenData) -> bool:
    """Whether float16 on disk moves the mean IoU by less than 0.001, on a few items."""
    items = (data.of("held_out") or data.of("train"))[:HALF_CHECKED]
    before = summary(confusion(model, items, data.classes), data.classes, len(items))["mean_iou"]
    own = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.load_state_dict(
        {k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in own.items()}
    )
    after = summary(confusion(model, items, data.classes), data.classes, len(items))["mean_iou"]
    model.load_state_dict(own)
    return before is not None and after is not None and abs(before - after) < 0.001


def _compare_engines(folder: Path, data: FrozenData) -> None:
    """See which engines may compute the finished model, as it is on disk."""
    held_out = data.of("held_out")
    items = (held_out or data.of("train"))[:MOST_IMAGES]
    samples = (Sample(read_values(item), item.read_target()) for item in items)
    check_model(folder, samples, data.classes, "held-out items" if held_out else "training items")


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
        engines={},  # what was seen of the model before says nothing of this one
        weights=f"model {run.base['name']} ({run.base['digest']})" if run.base else spec.weights,
    )
