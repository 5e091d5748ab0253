"""Export a project: its items as any format of the table, and what was left out and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from segcore.base import BadFile
from segcore.formats import ExportItem, ExportOptions, ExportReport, describe, format_of, write
from segcore.projects.stage import Stage, silent
from segcore.store import Item, Project

DEFAULT_STATES = ("corrected", "accepted")


def export_project(
    project: Project,
    out: Path,
    key: str,
    states: Collection[str] = DEFAULT_STATES,
    *,
    copy_images: bool = False,
    stage: Stage = silent,
) -> ExportReport:
    """Write the items in one of the states; rejected ones are never written.

    Parameters
    ----------
    key : of the format: ``png``, ``coco``, ``nifti``, ...
    copy_images : put copies beside the masks instead of naming the images where they are.

    Raises
    ------
    BadFile : no such format, nothing to export, or `out` holds something else.
    """
    chosen, options = _choice(project, key, states, copy_images)
    return write(
        key,
        _export_items(chosen),
        out,
        project.classes,
        options,
        on_item=lambda done: stage("Exporting", done, len(chosen)),
    )


def say_before(
    project: Project,
    key: str,
    states: Collection[str] = DEFAULT_STATES,
    *,
    copy_images: bool = False,
) -> list[str]:
    """What the format cannot hold of these items, in sentences; parameters as `export_project`."""
    chosen, options = _choice(project, key, states, copy_images)
    return describe(key, list(_export_items(chosen)), project.classes, options)


def _choice(
    project: Project, key: str, states: Collection[str], copy_images: bool
) -> tuple[list[Item], ExportOptions]:
    format_of(key)  # says which formats there are, before anything else can go wrong
    wanted = set(states) - {"rejected"}
    chosen = [item for item in project.items if item.state in wanted]
    left_out = {item.name: item.state for item in project.items if item.state not in wanted}
    if not chosen:
        raise BadFile(
            f"No item of {project.name} is {' or '.join(sorted(wanted))}.",
            "Choose other states (--states), such as predicted, or accept some items first.",
        )
    return chosen, ExportOptions("copy" if copy_images else "reference", left_out)


def _export_items(items: list[Item]) -> Iterator[ExportItem]:
    # One by one: the labels of a large project need not be in memory together.
    for item in items:
        yield ExportItem(
            name=item.name,
            images=tuple(source.file for source in item.sources),
            labels=item.labels,
            further=item.further_labels,
            affine=item.affine,
            spacing=item.spacing,
            state=item.state,
            split=item.split,
            group=item.group or None,
            instances={
                number: {"class": row.class_id, "score": row.score, **row.attributes}
                for number, row in item.instances.items()
            },
        )
