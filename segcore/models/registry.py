"""The table of architectures: one row a family, made by `@register` in the family's file.

Neither this file nor the families' files import torch before a model is built, so the window can
list what there is.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from segcore.base import ClassSet, MaskwrightError, plugins
from segcore.base.dataclass import dataclass
from segcore.models.prepare import Preparation
from segcore.models.spec import ModelSpec

if TYPE_CHECKING:
    from torch import nn


Builder = Callable[[ModelSpec], "nn.Module"]
Refusal = Callable[[str, str, Mapping[str, Any]], "str | None"]
TasksOf = Callable[[Mapping[str, Any]], Sequence[str]]

_FAMILY_MODULES = (
    "segcore.models.unet",
    "segcore.models.fpn",
    "segcore.models.linknet",
    "segcore.models.pspnet",
    "segcore.models.deeplabv3",
    "segcore.models.deeplabv3plus",
    "segcore.models.unetplusplus",
    "segcore.models.manet",
    "segcore.models.pan",
    "segcore.models.upernet",
    "segcore.models.segformer",
    "segcore.models.dpt",
    "segcore.models.naive",
    "segcore.models.fcn",
    "segcore.models.segnet",
    "segcore.models.enet",
    "segcore.models.deeplab",
    "segcore.models.mask_rcnn",
    "segcore.models.panet",
    "segcore.models.panoptic_fpn",
    "segcore.models.pointrend",
)


@dataclass(frozen=True)
class Option:
    """One option of a family, with its default and what it does.

    Parameters
    ----------
    choices : the values it can have; empty where any value of the default's kind will do.
    argument : what segmentation-models-pytorch calls it; "" for what is this project's own.
    """

    name: str
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    argument: str = ""

    def takes(self, value: Any) -> bool:
        """Whether the value is of the default's kind and among the choices, if there are any."""
        if self.choices:
            return any(value == c and type(value) is type(c) for c in self.choices)
        if self.default is None:
            return True
        if isinstance(self.default, list | tuple):
            alike = isinstance(value, list | tuple)
            return alike and all(_same_kind(v, d) for v in value for d in self.default[:1])
        return _same_kind(value, self.default)


def _same_kind(value: Any, example: Any) -> bool:
    if isinstance(example, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(example)


@dataclass(frozen=True)
class Architecture:
    """A row of the table.

    Parameters
    ----------
    title : the name that people use.
    idea : what sets it apart, in one sentence.
    paper : a link to it; `year` is that of its first publication.
    tasks : all that it can do, such as ("semantic",); `tasks_with` says what with which options.
    encoder : the default one; "" for a family whose encoder is its own.
    builder : makes the network of a spec, with random numbers.
    refusal : takes title, encoder and options, and says in one sentence why the encoder cannot be
        had with these options, or None.
    licence : of the code that builds the network, where it is not this project's own.
    peer : the class of segmentation-models-pytorch that it is, "" for none; its checkpoints can be
        imported.
    tasks_of : takes the options and says which of the tasks it does with them; None where it does
        all of them always.
    """

    name: str
    title: str
    idea: str
    paper: str
    year: int
    tasks: tuple[str, ...]
    encoder: str
    options: tuple[Option, ...]
    builder: Builder
    refusal: Refusal | None = None
    licence: str = ""
    peer: str = ""
    tasks_of: TasksOf | None = None

    def tasks_with(self, options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """What it does with these options.

        Parameters
        ----------
        options : those that are not the family's defaults.

        Raises
        ------
        MaskwrightError : it cannot be had with them.
        """
        return self.tasks if self.tasks_of is None else tuple(self.tasks_of(self._with(options)))

    def refuses(self, encoder: str, options: Mapping[str, Any] | None = None) -> str | None:
        """Why this family cannot be built on an encoder, in one sentence; None where it can.

        Needs no torch, so that a dialog can ask for every encoder there is. None is no promise for
        a name that nobody has heard of: only building it shows.

        Parameters
        ----------
        options : those that are not the family's defaults.
        """
        if not self.encoder:
            return f"{self.title} has an encoder of its own." if encoder else None
        if self.refusal is None:
            return None
        return self.refusal(self.title, encoder, self._with(options))

    def _with(self, options: Mapping[str, Any] | None) -> dict[str, Any]:
        return {o.name: o.default for o in self.options} | dict(options or {})


_TABLE: dict[str, Architecture] = {}
_filling = threading.RLock()
_state: Literal["empty", "filling", "full"] = "empty"
_plugins: tuple[plugins.Plugin, ...] = ()


def register(
    name: str,
    *,
    paper: str,
    year: int,
    tasks: Sequence[str],
    title: str = "",
    idea: str = "",
    encoder: str = "",
    options: Sequence[Option] = (),
    refusal: Refusal | None = None,
    licence: str = "",
    peer: str = "",
    tasks_of: TasksOf | None = None,
) -> Callable[[Builder], Builder]:
    """Enter a builder into the table.

    Raises
    ------
    ValueError : the name is taken; a silent second winner would change what models mean.
    """

    def enter(builder: Builder) -> Builder:
        if name in _TABLE:
            raise ValueError(f'an architecture named "{name}" is registered already')
        _TABLE[name] = Architecture(
            name,
            title or name,
            idea,
            paper,
            year,
            tuple(tasks),
            encoder,
            tuple(options),
            builder,
            refusal,
            licence,
            peer,
            tasks_of,
        )
        return builder

    return enter


def architectures() -> Mapping[str, Architecture]:
    """Every architecture by name, those of installed plug-ins included; for any thread."""
    global _state, _plugins
    if _state == "full":
        return _TABLE
    # Another thread waits: a table that is half full would be taken for the whole one. What asks
    # while it is being loaded itself, such as a plug-in, does so in this thread.
    with _filling:
        if _state == "empty":
            _state = "filling"
            try:
                for module in _FAMILY_MODULES:
                    importlib.import_module(module)
                _plugins = plugins.load_plugins(plugins.MODELS)
                _state = "full"
            finally:
                if _state == "filling":
                    _state = "empty"  # the next one who asks hears what is wrong, too
    return _TABLE


def model_plugins() -> tuple[plugins.Plugin, ...]:
    """The plug-ins of the architectures, those that do not load included."""
    architectures()
    return _plugins


def architecture(name: str) -> Architecture:
    """The row of this name.

    Raises
    ------
    MaskwrightError : there is none.
    """
    table = architectures()
    if name not in table:
        raise MaskwrightError(
            f'There is no architecture named "{name}".', f"Use one of {', '.join(sorted(table))}."
        )
    return table[name]


def as_classes(classes: ClassSet | Sequence[str] | int) -> ClassSet:
    """A ClassSet as it is; from names; or of so many classes named "class 0", "class 1", ..."""
    if isinstance(classes, ClassSet):
        return classes
    if isinstance(classes, int):
        return ClassSet.from_names([f"class {i}" for i in range(classes)])
    return ClassSet.from_names(list(classes))


def make_spec(
    name: str,
    *,
    classes: ClassSet | Sequence[str] | int,
    channels: int = 3,
    encoder: str | None = None,
    preparation: Preparation | None = None,
    **options: Any,
) -> ModelSpec:
    """The spec that `build` builds from; options that are not given have the family's default.

    Raises
    ------
    MaskwrightError : unknown architecture or option, a value that the option cannot have, an
        encoder that the family cannot take, or fewer than one class to tell.
    """
    row = architecture(name)
    known = {option.name: option.default for option in row.options}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise MaskwrightError(
            f'{row.title} has no option "{unknown[0]}".',
            f"Its options are {', '.join(sorted(known)) or 'none'}.",
        )
    for option in row.options:
        if option.name in options and not option.takes(options[option.name]):
            raise MaskwrightError(
                f"{row.title}'s option {option.name} cannot be {options[option.name]!r}.",
                f"Use one of {', '.join(repr(c) for c in option.choices)}."
                if option.choices
                else f"Give a value like {option.default!r}.",
            )
    chosen = row.encoder if encoder is None else encoder
    refused = row.refuses(chosen, options)
    if refused:
        raise MaskwrightError(
            refused,
            f"Choose another encoder, such as {row.encoder}." if row.encoder else "Name none.",
        )
    tasks = row.tasks_with(options)
    class_set = as_classes(classes)
    if "instances" in tasks and not isinstance(classes, ClassSet):
        for c in class_set.classes:  # nothing else was said of them
            class_set = class_set.changed(c.id, thing=True)
    if not class_set.scored:
        raise MaskwrightError("A model needs a class to predict.", "Give at least one class.")
    return ModelSpec(
        architecture=name,
        encoder=chosen,
        classes=class_set,
        channels=channels,
        options=known | options,
        preparation=preparation or Preparation(),
        tasks=tasks,
    )
