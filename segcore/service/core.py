"""The core: models, kept warm on one device, and predictions that stream back tile by tile.

Started as ``python -m segcore.service.core`` by `segcore.service.client`. It says hello before
it loads torch, so the window knows within a blink that it lives.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, MaskwrightError, Rect
from segcore.service.protocol import (
    CropsMade,
    Describe,
    MakeCrops,
    Measure,
    ModelDescribed,
    ModelMeasured,
    ObjectsFound,
    Predict,
    PredictionDone,
    Probabilities,
    ProbabilitiesFound,
    TilePredicted,
    Unload,
    Warm,
)
from segcore.service.worker import JobContext, Worker, connect_from_stdin, give_way

if TYPE_CHECKING:
    from segcore.infer import Predictor
    from segcore.train.crops import CropMaker

KEPT_MODELS = 3


class Models:
    """The last few models that were used, ready on the device.

    A model is known by its folder and by size and time of its files, so one that was trained
    anew under the same name is loaded anew.
    """

    def __init__(self, kept: int = KEPT_MODELS, device: str | None = None) -> None:
        self._kept = kept
        self._device = device
        self._ready: OrderedDict[tuple[object, ...], tuple[Predictor, str]] = OrderedDict()

    def get(self, folder: Path, device: str | None = None) -> tuple[Predictor, str]:
        """A predictor and the model's digest.

        Parameters
        ----------
        device : another device than the usual one.

        Raises
        ------
        BadFile : the folder holds no model that can be read.
        """
        from segcore.infer import Predictor
        from segcore.models import load_model, model_digest

        device = device or self._device
        key = (device, *_identity(folder))
        found = self._ready.get(key)
        if found is None:
            model = load_model(folder)
            found = Predictor(model, device, folder=folder), model_digest(folder)
            self._ready[key] = found
        self._ready.move_to_end(key)
        while len(self._ready) > self._kept:
            self._ready.popitem(last=False)
        return found

    def unload(self) -> bool:
        """Let go of all models on a graphics card; says whether there were any."""
        import torch

        before = len(self._ready)
        for key, (predictor, _) in list(self._ready.items()):
            if predictor.device.name != "cpu":
                del self._ready[key]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return len(self._ready) < before

    def __len__(self) -> int:
        return len(self._ready)


def _identity(folder: Path) -> tuple[object, ...]:
    facts: list[object] = [str(folder)]
    for name in ("model.json", "model.safetensors"):
        try:
            stat = (folder / name).stat()
        except OSError as error:
            raise BadFile(
                f"{folder} holds no {name}.", "Choose a folder with model.json and the weights."
            ) from error
        facts += [stat.st_size, stat.st_mtime_ns]
    return tuple(facts)


def predict(job: Predict, context: JobContext, models: Models) -> None:
    """Answer a `Predict` job: a `TilePredicted` for each piece, then `PredictionDone`.

    A model that finds objects tells them after each slice, as `ObjectsFound`.

    The predictor halves its tiles where memory runs out. Where even small ones do not fit beside
    a training on the same card, the processor does the whole job, and all tiles come again.
    """
    from segcore.infer.device import is_out_of_memory

    try:
        _predict(job, context, models, None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or not models.unload():
            raise
        _predict(job, context, models, "cpu")


def _predict(job: Predict, context: JobContext, models: Models, device: str | None) -> None:
    from segcore import images
    from segcore.infer import map_classes

    began = time.monotonic()
    predictor, digest = models.get(Path(job.model_path), device)
    mapping = map_classes(
        predictor.model.spec.classes, ClassSet.from_rows(list(job.class_rows), "the project")
    )
    if not mapping.mapped:
        raise MaskwrightError(
            "The model knows no class of this project.",
            "Train one on some corrected items, or choose another one.",
        )
    context.check()
    with images.open_all(job.image_paths, as_stack=job.as_stack) as image:
        grid = image.shape
        rect = Rect(0, 0, grid.y, grid.x) if job.rect is None else job.rect
        rect = rect.intersect(Rect(0, 0, grid.y, grid.x))
        order = list(_nearest_first(job.slices, grid.z, job.near[0]))
        for done, z in enumerate(order):
            covered = 0

            def tile_done(
                where: Rect,
                classes: NDArray[np.uint16],
                confidence: NDArray[np.uint8],
                margin: NDArray[np.uint8],
                z: int = z,
                done: int = done,
            ) -> None:
                nonlocal covered
                ids = mapping.table[classes]
                context.send(
                    TilePredicted(context.number, context.key, where, z, ids, confidence, margin)
                )
                covered += where.area
                context.progress((done + covered / max(1, rect.area)) / len(order))

            found = predictor.predict(
                image,
                z=z,
                rect=rect,
                near=(job.near[1], job.near[2]),
                on_tile=tile_done,
                cancel=context.cancelled,
                mirror=bool(job.model_options.get("mirror", False)),
                instances=predictor.model.finds_objects,
            )
            if found.found is not None:
                objects = found.found.mapped(mapping.table)
                context.send(
                    ObjectsFound(
                        context.number,
                        context.key,
                        rect,
                        z,
                        mapping.table[found.classes],
                        found.confidence,
                        found.margin,
                        objects.numbers,
                        objects.ground,
                        objects.scores,
                        objects.classes,
                        objects.kept,
                    )
                )
    context.check()
    spec = predictor.model.spec
    context.send(
        PredictionDone(
            context.number,
            context.key,
            spec.name or Path(job.model_path).name,
            digest,
            time.monotonic() - began,
            mapping.unmapped,
        )
    )


def _nearest_first(slices: Sequence[int] | None, count: int, near: int) -> Iterator[int]:
    wanted = range(count) if slices is None else [z for z in slices if 0 <= z < count]
    yield from sorted(wanted, key=lambda z: (abs(z - near), z))


def probabilities(job: Probabilities, context: JobContext, models: Models) -> None:
    """Answer a `Probabilities` job; on the processor where a device's memory does not hold it."""
    from segcore.infer.device import is_out_of_memory

    try:
        found = _probabilities(job, context, models, None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or not models.unload():
            raise
        found = _probabilities(job, context, models, "cpu")
    context.check()
    context.send(found)


def _probabilities(
    job: Probabilities, context: JobContext, models: Models, device: str | None
) -> ProbabilitiesFound:
    from segcore import images
    from segcore.infer import map_classes
    from segcore.refine.evidence import joined

    predictor, digest = models.get(Path(job.model_path), device)
    told = predictor.model.spec.classes
    table = map_classes(told, ClassSet.from_rows(list(job.class_rows), "the project")).table
    context.check()
    with images.open_all(job.image_paths, as_stack=job.as_stack) as image:
        shares = predictor.probabilities(image, job.rect, z=job.z, cancel=context.cancelled)
    ids, shares = joined(tuple(int(table[c.id]) for c in told.scored), shares)
    half = shares.astype(np.float16)
    return ProbabilitiesFound(context.number, context.key, job.rect, job.z, ids, half, digest)


def describe(job: Describe, context: JobContext) -> None:
    """Answer a `Describe` job with the model's spec; loads no weights."""
    from segcore.models import ModelSpec

    spec = ModelSpec.read(Path(job.model_path))
    context.send(ModelDescribed(context.number, context.key, spec.to_json()))


def warm(job: Warm, context: JobContext, models: Models) -> None:
    """Load a model and all that predicting a picture with it needs.

    A small made picture goes through it, because libraries load parts of themselves, and make
    their kernels, when they are first used.
    """
    from segcore import images  # noqa: F401 - the first prediction opens its picture with it
    from segcore.infer import map_classes  # noqa: F401

    predictor, _ = models.get(Path(job.model_path))
    context.check()
    side = max(predictor.model.least_size, 64)
    made = np.zeros((side, side, predictor.model.spec.channels), np.uint8)
    predictor.predict(made, cancel=context.cancelled, instances=predictor.model.finds_objects)


def measure(job: Measure, context: JobContext, models: Models) -> None:
    """Answer a `Measure` job, from what is remembered where that holds."""
    from segcore.infer import Predictor, choose_device
    from segcore.infer.cost import measure_cost
    from segcore.models import build
    from segcore.models.costs import CostFile, CostQuestion

    question = CostQuestion(**job.question)
    device = choose_device().title
    remembered = CostFile(Path(job.file)) if job.file else None
    cost = None if remembered is None else remembered.get(device, question)
    if cost is None:
        if question.folder:
            predictor, _ = models.get(Path(question.folder))
        else:
            predictor = Predictor(
                build(
                    question.architecture,
                    encoder=question.encoder,
                    classes=question.classes,
                    channels=question.channels,
                )
            )
        context.check()
        cost = measure_cost(predictor, context.cancelled)
        if remembered is not None:
            remembered.put(device, question, cost)
    known = {} if remembered is None else remembered.all_of(device)
    rows = {key: row.to_json() for key, row in known.items()}
    context.send(ModelMeasured(context.number, context.key, cost.to_json(), rows))


class Croppers:
    """Makes crops of the run that was asked for last, whose decoded pictures it keeps."""

    def __init__(self) -> None:
        self._maker: CropMaker | None = None

    def make(self, job: MakeCrops, context: JobContext) -> None:
        """Answer a `MakeCrops` job.

        Raises
        ------
        MaskwrightError : as a training of this run would.
        """
        from segcore.train import Recipe
        from segcore.train.crops import CropMaker

        run_dir = Path(job.run_dir)
        if self._maker is None or self._maker.run_dir != run_dir:
            self._maker = None  # its pictures first
            self._maker = CropMaker(run_dir)
        made = self._maker.make(Recipe(**job.settings), job.first, job.count)
        context.check()
        objects = np.zeros((0, 0, 0), np.int32) if made.objects is None else made.objects
        context.send(
            CropsMade(
                context.number,
                context.key,
                made.images,
                made.classes,
                objects,
                made.names,
                made.earlier,
            )
        )


def main() -> None:
    channel = connect_from_stdin("core")
    give_way()
    worker = Worker("core", channel)
    from segcore.infer.threads import share_processor

    share_processor()
    from segcore.infer import choose_device

    models, croppers = Models(), Croppers()

    def unload(job: Unload, context: JobContext) -> None:
        models.unload()

    worker.run(
        {
            Predict: lambda job, context: predict(job, context, models),
            Probabilities: lambda job, context: probabilities(job, context, models),
            Describe: describe,
            Measure: lambda job, context: measure(job, context, models),
            MakeCrops: croppers.make,
            Warm: lambda job, context: warm(job, context, models),
            Unload: unload,
        },
        choose_device().name,
    )


if __name__ == "__main__":
    main()
