"""From a project to a run: which pixels teach, which items are held out, what is kept from before.

What a person set teaches with full weight: painted, refined, interpolated or imported. What a
model set teaches only where a person accepted the item, and with less weight: it was looked at as
a whole, where the person's pixels say just what the model had wrong. What is unlabelled teaches
nothing. So
partly corrected pictures train, and a model never learns from its own guesses. No torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, MaskwrightError
from segcore.base.dataclass import dataclass
from segcore.infer import connected_objects
from segcore.labels import Labels
from segcore.models import ModelSpec, architecture
from segcore.projects.choosing import choose
from segcore.projects.earlier import MOST, earlier_count, earlier_items
from segcore.projects.modelling import NoModel, find_model, known_models
from segcore.projects.stage import Stage, silent
from segcore.store import Item, Project
from segcore.store.sources import digest_source
from segcore.train import Recipe, TrainItem, freeze, make_run
from segcore.train import runs as run_folders
from segcore.train.frozen import Role
from segcore.train.preflight import SAMPLE_CROP, SAMPLE_OF
from segcore.train.recipe import parse_options

GAP = 5  # neighbours of a held-out stretch of one sequence that are not trained on
_NAME = re.compile(r"[\w][\w .+-]{0,80}")
_REVIEWED = ("corrected", "accepted")


class NothingToLearn(MaskwrightError):
    """No item has a pixel to learn from."""


@dataclass(frozen=True)
class NewRun:
    """What is to be trained.

    Parameters
    ----------
    settings : fields of `Recipe` that differ from its defaults.
    items : shell pattern on names; None is all.
    start : the model to train further, a name or a folder; None starts a new one.
    name : of the run and of its model; None finds one.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    items: str | None = None
    start: str | None = None
    name: str | None = None


def prepare_run(project: Project, wanted: NewRun, stage: Stage = silent) -> Path:
    """Freeze the data of a run in ``runs/NAME``; the folder, ready for the trainer.

    Raises
    ------
    NothingToLearn : no item is reviewed, or has truth, as the recipe asks for; the model finds
        objects and no class is counted as objects.
    NoModel : the model to train further is not there.
    MaskwrightError : the name is taken or no name for a folder; a setting is out of range.
    """
    base, recipe, training, held, same = _selected(project, wanted)
    name = _name_of(project, wanted.name, recipe, base)
    run_dir = project.runs_dir / name
    make_run(run_dir, recipe, name=name, project=str(project.path), base=base)
    notes = {"held_out": "same sequence"} if same else {}
    freeze(
        _train_items(project, recipe, training, held, base, stage),
        run_dir,
        project.classes,
        notes=notes,
    )
    return run_dir


def prepare_sample(
    project: Project, wanted: NewRun, run_dir: Path, most: int | None = None
) -> None:
    """Freeze some of the pictures of a run, so that its steps can be measured, or its crops seen.

    The steps are those of the whole: the same model, recipe, crop and mixture. Nothing is written
    to the project. How much the whole would be is noted for `segcore.train.measure`.

    Parameters
    ----------
    run_dir : where the sample is made, a folder outside of the project.
    most : items to train on, and as many learned earlier; None is what the measured steps see.

    Raises
    ------
    NothingToLearn, NoModel, MaskwrightError : as `prepare_run`.
    """
    base, recipe, training, held, _ = _selected(project, wanted)
    sizes = [(item.shape.y, item.shape.x) for item in training]
    height, width = recipe.crop(sizes)
    usual = recipe.changed(crop_height=None, crop_width=None).crop(sizes)
    steps = recipe.total_steps(len(training))
    recipe = recipe.changed(steps=steps, crop_height=height, crop_width=width)
    most = most or 4 * recipe.batch
    some = _spread(training, most)  # of each item of a volume all slices come along
    kept = _spread(held, 1)
    make_run(run_dir, recipe, name="sample", project=str(project.path), base=base)
    items = list(_train_items(project, recipe, some, kept, base, silent, earlier=most))
    count = Counter(item.role for item in items)
    whole = {
        "train": count["train"] * len(training) // len(some),
        "replay": (earlier_count(base) or 0) if base is not None and count["replay"] else 0,
        "held_out": count["held_out"] * len(held) // max(1, len(kept)),
    }
    notes = {SAMPLE_OF: whole, SAMPLE_CROP: list(usual)}
    freeze(items, run_dir, project.classes, notes=notes)


def fine_tuning(project: Project, steps: int | None = None) -> NewRun:
    """What the one-click button trains: the model that predicts, on what a person reviewed."""
    try:
        start = str(find_model(project, None))
    except NoModel:
        start = None
    return NewRun({} if steps is None else {"steps": steps}, start=start)


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / run_folders.RUN).is_file()


def find_run(project: Path, name: str) -> Path:
    """The folder of a run of a project, by the run's name or its folder.

    Raises
    ------
    BadFile : there is none.
    """
    for folder in (project / "runs" / name, Path(name)):
        if is_run(folder):
            return folder
    names = [path.name for path in run_folders.find_runs(project / "runs")]
    raise BadFile(
        f'{project.name} has no run "{name}".', f"Its runs are {', '.join(names) or 'none yet'}."
    )


def split_items(items: Sequence[Item]) -> tuple[list[Item], list[Item], bool]:
    """Items to train on, held-out items, and whether both come from one sequence.

    Neighbours of a held-out item within its own group look nearly like it and are left out of
    training; where whole groups are held out there are none.
    """
    held = [item for item in items if item.split == "held_out"]
    places: dict[str, list[int]] = {}
    order = {item.id: place for place, item in enumerate(sorted(items, key=lambda i: i.name))}
    for item in held:
        places.setdefault(item.group, []).append(order[item.id])
    training: list[Item] = []
    same = False
    for item in items:
        if item.split == "held_out":
            continue
        near = places.get(item.group, []) if item.group else []
        same = same or bool(near)
        if all(abs(order[item.id] - place) > GAP for place in near):
            training.append(item)
    return training, held, same


_STATES = ("new", "predicted", "corrected", "accepted")  # rejected items teach nothing


def _selected(
    project: Project, wanted: NewRun
) -> tuple[Path | None, Recipe, list[Item], list[Item], bool]:
    """Base, recipe, items to train on, held-out items, and whether both are of one sequence."""
    base = None if wanted.start is None else find_model(project, wanted.start)
    recipe = Recipe(**_checked_settings(wanted.settings, base))
    _things(project, recipe, base)  # refuses before a folder is made
    chosen = choose(project.items, set(_STATES), wanted.items)
    training, held, same = split_items(chosen)
    training = [item for item in training if may_teach(item, recipe.targets)]
    if not training:
        raise NothingToLearn(
            f"{project.name} has nothing to train on: no item "
            + ("has truth." if recipe.targets == "truth" else "is corrected or accepted."),
            _what_could_teach(chosen, recipe.targets),
        )
    return base, recipe, training, held, same


def _spread(items: list[Item], most: int) -> list[Item]:
    """At most so many of the items, from the first to the last."""
    return items[:: max(1, -(-len(items) // most))]


def _checked_settings(settings: Mapping[str, Any], base: Path | None) -> dict[str, Any]:
    if base is not None and {"arch", "encoder", "options"} & set(settings):
        raise MaskwrightError(
            f"The model {base.name} is trained further as it is built.",
            "Leave out the architecture and the encoder, or the model to start from.",
        )
    return dict(settings)


def _what_could_teach(items: Sequence[Item], targets: str) -> str:
    if targets == "reviewed" and any(item.truth is not None for item in items):
        return "Correct or accept some items first, or learn from truth (targets: truth)."
    return "Correct or accept some items first."


def may_teach(item: Item, targets: str) -> bool:
    """Whether an item has what a recipe's ``targets`` ask for."""
    reviewed = item.state in _REVIEWED
    if targets == "reviewed":
        return reviewed
    has_truth = item.truth is not None
    return has_truth if targets == "truth" else has_truth or reviewed


def _train_items(
    project: Project,
    recipe: Recipe,
    training: list[Item],
    held: list[Item],
    base: Path | None,
    stage: Stage,
    earlier: int = MOST,
) -> Iterator[TrainItem]:
    persons = project.person_origins()
    things = _things(project, recipe, base)
    total = len(training) + len(held)
    taught: set[str] = set()
    learned = False
    for number, (item, role) in enumerate(
        [*((i, "train") for i in training), *((i, "held_out") for i in held)], 1
    ):
        digests = _digests(item)
        taught.add("+".join(digests))
        # Held-out items are scored against truth wherever there is one.
        targets = recipe.targets if role == "train" else "all"
        model_weight = recipe.model_weight if role == "train" else 1.0
        for taught_slice in _targets(item, targets, persons, things, model_weight):
            learned = learned or role == "train"
            yield TrainItem(
                name=item.name,
                sources=tuple(source.file for source in item.sources),
                target=taught_slice.target,
                z=taught_slice.z,
                group=item.group,
                role=_role(role),
                weight=taught_slice.weight,
                digests=digests,
                as_stack=item.as_stack,
                instances=taught_slice.instances,
                percent=taught_slice.percent,
                further=taught_slice.further,
            )
        stage("Freezing the data", number, total)
    if not learned:
        raise NothingToLearn(
            f"No pixel of the {len(training)} items was set or accepted by a person.",
            "Correct a mask or accept it; what a model guessed teaches nothing.",
        )
    if base is not None and recipe.replay > 0:
        yield from islice(earlier_items(base, project.classes, taught), earlier)


def _role(name: str) -> Role:
    return "held_out" if name == "held_out" else "train"


def _digests(item: Item) -> tuple[str, ...]:
    return tuple(source.digest or digest_source(source.file) for source in item.sources)


def _things(project: Project, recipe: Recipe, base: Path | None) -> frozenset[int]:
    """The classes whose objects the model learns to tell apart; none for a semantic model.

    Raises
    ------
    NothingToLearn : the model finds objects, and no class is counted as objects.
    """
    if base is None:
        tasks = architecture(recipe.arch).tasks_with(parse_options(recipe.options))
    else:
        tasks = ModelSpec.read(base).tasks
    if "instances" not in tasks:
        return frozenset()
    found = frozenset(int(c.id) for c in project.classes.scored if c.thing)
    if not found:
        raise NothingToLearn(
            f"The model finds objects, and no class of {project.name} is counted as objects.",
            "Mark a class as things, or choose a semantic model.",
        )
    return found


@dataclass(frozen=True, eq=False)
class Taught:
    """What a slice of an item says.

    Parameters
    ----------
    target : (y, x) class ids where it says something.
    weight : of the slice; percent : (y, x) of its pixels beside it, None where they are alike.
    instances : (y, x) numbers of objects, None where they are not asked for.
    further : classes and numbers of further layers, objects that overlap others; with numbers only.
    """

    z: int
    target: NDArray[np.uint16]
    weight: float = 1.0
    percent: NDArray[np.uint8] | None = None
    instances: NDArray[np.uint32] | None = None
    further: tuple[tuple[NDArray[np.uint16], NDArray[np.uint32]], ...] = ()


def _targets(
    item: Item,
    targets: str,
    persons: frozenset[int],
    things: frozenset[int] = frozenset(),
    model_weight: float = 1.0,
) -> Iterator[Taught]:
    """The slices of an item that say something.

    Where no pixel of a slice has an object's number, the connected regions of things are objects.

    Parameters
    ----------
    model_weight : of a pixel that no person set; such a pixel says something in accepted items.
    """
    truth = item.truth if targets in ("truth", "all") else None
    if truth is None and (targets == "truth" or item.state not in _REVIEWED):
        return
    labels = item.labels if truth is None else truth
    others = item.further_labels if truth is None else item.further_truth
    # Whether pixels that no person set say something, too.
    whole = truth is not None or (item.state == "accepted" and model_weight > 0)
    for z in range(item.shape.z):
        target = labels.read(z=z)
        weight, percent = 1.0, None
        if truth is None:
            of_persons = np.isin(labels.read(z=z, plane="origin"), list(persons))
            if not whole:
                target = np.where(of_persons, target, 0)
            else:
                weight, percent = _weighed(of_persons, target > 0, model_weight)
        if target.any():
            target = target.astype(np.uint16, copy=False)
            instances = None
            further: tuple[tuple[NDArray[np.uint16], NDArray[np.uint32]], ...] = ()
            if things:
                numbers = labels.read(z=z, plane="instance")
                numbers[~np.isin(target, list(things))] = 0
                of_layers = (
                    _objects_of_layer(layer, z, things, None if whole else persons)
                    for layer in others
                )
                further = tuple(pair for pair in of_layers if pair[1].any())
                if not numbers.any() and not further:
                    numbers = connected_objects(target, sorted(things))
                instances = numbers
            yield Taught(z, target, weight, percent, instances, further)


def _objects_of_layer(
    layer: Labels, z: int, things: frozenset[int], persons: frozenset[int] | None
) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Classes and numbers of the objects of a further layer; of persons' pixels, if given."""
    ids, numbers = layer.read(z=z), layer.read(z=z, plane="instance")
    told = np.isin(ids, list(things)) & (numbers > 0)
    if persons is not None:
        told &= np.isin(layer.read(z=z, plane="origin"), list(persons))
    return np.where(told, ids, np.uint16(0)), np.where(told, numbers, np.uint32(0))


def _weighed(
    of_persons: NDArray[np.bool_], told: NDArray[np.bool_], model_weight: float
) -> tuple[float, NDArray[np.uint8] | None]:
    """The weight of a slice, and the percent of its pixels where they are not alike."""
    if model_weight == 1 or of_persons[told].all():
        return 1.0, None
    if not of_persons[told].any():
        return model_weight, None
    share = np.uint8(round(100 * model_weight))
    return 1.0, np.where(of_persons, np.uint8(100), share)


def check_model_name(name: str) -> None:
    """Refuse a name that is no folder's on every system.

    Raises
    ------
    MaskwrightError
    """
    if not _NAME.fullmatch(name) or name.endswith((".", " ")):
        raise MaskwrightError(
            f'"{name}" is no name for a model.',
            "Use letters, digits, spaces, dots, hyphens and underscores.",
        )


def _name_of(project: Project, wanted: str | None, recipe: Recipe, base: Path | None) -> str:
    taken = {path.name for path in run_folders.find_runs(project.runs_dir)}
    taken |= set(known_models(project.models_dir))
    if wanted is not None:
        check_model_name(wanted)
        if wanted in taken:
            raise MaskwrightError(
                f'{project.name} has a run or a model named "{wanted}" already.',
                "Choose another name, or resume it (--resume).",
            )
        return wanted
    stem = recipe.arch if base is None else re.sub(r" \d+$", "", base.name)
    number = 1 if base is None else 2
    while f"{stem} {number}" in taken:
        number += 1
    return f"{stem} {number}"
