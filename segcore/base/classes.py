"""Classes of a project: what a pixel can be, and which number a file writes for it.

Class ids are the project's own, 1 to 65535, never reused; 0 inside means "not looked at yet".
A file's number is the class's `value`, which may be 0.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType

from segcore.base.dataclass import dataclass
from segcore.base.errors import BadFile, ClassMismatch
from segcore.base.palette import palette_colour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClassId = NewType("ClassId", int)
UNLABELLED = ClassId(0)
MAX_CLASS_ID = 65535

_NAMESPACE = uuid.UUID("6b0a8f0e-3f0b-5a55-9a3e-6d61736b7772")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class SegClass:
    """One class.

    Parameters
    ----------
    id : 1 to 65535, the number inside the labels.
    name : what people read; unique among the classes in use.
    value : the number in mask files, 0 to 65535; None for a class that no mask file holds.
    colour : ``#RRGGBB``, or None for a class that is not coloured ("background").
    thing : counted as single objects (instances).
    ignore : void: exported with its value, never trained on, scored or filled.
    uuid : stays the same in every copy of the class; models map by it.
    code : a terminology code such as ``SCT:362880``, or "".
    file_colours : colours that mean this class in a colour-coded mask.
    retired : no longer offered; its id is not used again.
    """

    id: ClassId
    name: str
    value: int | None
    colour: str | None
    thing: bool = False
    ignore: bool = False
    uuid: str = field(default="")
    code: str = ""
    file_colours: tuple[str, ...] = ()
    retired: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.id <= MAX_CLASS_ID:
            raise ClassMismatch(
                f'Class "{self.name}" has id {self.id}.', "Use an id from 1 to 65535."
            )
        if not self.name.strip():
            raise ClassMismatch(f"Class {self.id} has no name.", "Give every class a name.")
        if self.value is not None and not 0 <= self.value <= MAX_CLASS_ID:
            raise ClassMismatch(
                f'Class "{self.name}" has value {self.value}.', "Use a value from 0 to 65535."
            )
        for colour in (self.colour, *self.file_colours):
            if colour is not None and not _COLOUR.fullmatch(colour):
                raise ClassMismatch(
                    f'Class "{self.name}" has colour "{colour}".',
                    "Write a colour as #RRGGBB.",
                )
        if not self.uuid:
            object.__setattr__(self, "uuid", str(uuid.uuid4()))

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """The colour as three numbers 0 to 255, or None."""
        if self.colour is None:
            return None
        digits = self.colour[1:]
        return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


@dataclass(frozen=True)
class ClassSet:
    """The classes of a project or a model, in their order; ids and values are unique."""

    classes: tuple[SegClass, ...]

    def __post_init__(self) -> None:
        _require_distinct("id", [c.id for c in self.classes])
        _require_distinct("value", [c.value for c in self.active if c.value is not None])
        _require_distinct("name", [c.name.casefold() for c in self.active])

    # -- reading ------------------------------------------------------------------------------

    @property
    def active(self) -> tuple[SegClass, ...]:
        """The classes that are not retired."""
        return tuple(c for c in self.classes if not c.retired)

    @property
    def scored(self) -> tuple[SegClass, ...]:
        """The classes that are trained on and scored: neither retired nor ignored."""
        return tuple(c for c in self.active if not c.ignore)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.classes]

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[SegClass]:
        return iter(self.classes)

    def __getitem__(self, class_id: int) -> SegClass:
        """The class with this id (retired ones too); KeyError if there is none."""
        for c in self.classes:
            if c.id == class_id:
                return c
        raise KeyError(class_id)

    def get(self, class_id: int) -> SegClass | None:
        """The class with this id, or None."""
        return next((c for c in self.classes if c.id == class_id), None)

    def by_name(self, name: str) -> SegClass | None:
        """The class in use with this name, whatever its case, or None."""
        folded = name.casefold()
        return next((c for c in self.active if c.name.casefold() == folded), None)

    def by_value(self, value: int) -> SegClass | None:
        """The class in use that mask files write as `value`, or None."""
        return next((c for c in self.active if c.value == value), None)

    def value_to_id(self) -> NDArray[np.uint16]:
        """Lookup table (65536,) uint16 from a file's value to a class id, else 0."""
        import numpy as np

        table = np.zeros(MAX_CLASS_ID + 1, np.uint16)
        for c in self.active:
            if c.value is not None:
                table[c.value] = c.id
        return table

    def id_to_value(self, unlabelled: int = 0) -> NDArray[np.uint16]:
        """Lookup table (65536,) uint16 from a class id to its file value, else `unlabelled`."""
        import numpy as np

        table = np.full(MAX_CLASS_ID + 1, unlabelled, np.uint16)
        for c in self.classes:
            if c.value is not None:
                table[c.id] = c.value
        return table

    # -- making -------------------------------------------------------------------------------

    @classmethod
    def from_names(cls, names: Sequence[str]) -> ClassSet:
        """Classes with ids 1.. and values 0.. in this order; the first colour is the palette's."""
        return cls(
            tuple(
                SegClass(
                    ClassId(i + 1), name, i, palette_colour(i), uuid=_named_uuid("names", name)
                )
                for i, name in enumerate(names)
            )
        )

    @classmethod
    def from_values(cls, values: Iterable[int], ignore: int | None = 255) -> ClassSet:
        """Classes for the values found in mask files.

        0 becomes "background" (without colour) and `ignore` becomes "void"; each other value V
        becomes "class V".
        """
        made: list[SegClass] = []
        coloured = 0
        for value in sorted(set(values)):
            class_id = ClassId(len(made) + 1)
            if value == ignore:
                made.append(SegClass(class_id, "void", value, None, ignore=True))
            elif value == 0:
                made.append(SegClass(class_id, "background", 0, None))
            else:
                made.append(SegClass(class_id, f"class {value}", value, palette_colour(coloured)))
                coloured += 1
        return cls(tuple(made))

    @classmethod
    def load(cls, source: str | Path) -> ClassSet:
        """A preset by its name (``camvid``, ``binary``), or classes from a TOML or JSON file.

        Raises
        ------
        BadFile : no such preset or file, or its content is not a list of classes.
        """
        if str(source) in CLASS_PRESETS:
            return CLASS_PRESETS[str(source)]
        path = Path(source)
        if path.suffix.lower() not in {".toml", ".json"}:
            presets = ", ".join(sorted(CLASS_PRESETS))
            raise BadFile(
                f'"{source}" is no class preset.',
                f"Name one of {presets}, or a .toml or .json file.",
            )
        import tomllib

        try:
            text = path.read_text(encoding="utf-8")
            content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
        except OSError as error:
            raise BadFile(
                f"{path} cannot be read: {error.strerror or error}.", "Check the path."
            ) from error
        except ValueError as error:
            raise BadFile(
                f"{path} is not valid {path.suffix[1:].upper()}: {error}.", "Correct the file."
            ) from error
        rows = (
            content.get("classes", content.get("class")) if isinstance(content, dict) else content
        )
        return cls.from_rows(rows, str(path))

    @classmethod
    def from_rows(cls, rows: Any, source: str = "the class list") -> ClassSet:
        """Classes from a list of mappings with the fields of `SegClass`; ids may be left out."""
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
            raise BadFile(
                f"{source} holds no list of classes.",
                "Write one table a class with id, name, value and colour.",
            )
        made: list[SegClass] = []
        known = set(SegClass.__dataclass_fields__)
        for number, row in enumerate(rows, 1):
            unknown = sorted(set(row) - known)
            if unknown:
                raise BadFile(
                    f'{source}: class {number} has the unknown field "{unknown[0]}".',
                    f"Known fields: {', '.join(sorted(known))}.",
                )
            fields = dict(row)
            fields.setdefault("id", number)
            fields.setdefault("value", fields["id"])
            fields.setdefault("colour", palette_colour(number - 1))
            fields.setdefault("uuid", "")
            fields["file_colours"] = tuple(fields.get("file_colours", ()))
            try:
                made.append(SegClass(**fields))
            except (TypeError, ClassMismatch) as error:
                raise BadFile(f"{source}: class {number}: {error}", "Correct the file.") from error
        return cls(tuple(made))

    def to_rows(self) -> list[dict[str, Any]]:
        """The classes as mappings that JSON can hold; `from_rows` takes them back."""
        return [asdict(c) | {"file_colours": list(c.file_colours)} for c in self.classes]

    # -- changing (each gives a new set) ------------------------------------------------------

    def added(self, name: str, colour: str | None = None, *, thing: bool = False) -> ClassSet:
        """With one more class, whose id and value nobody has used yet."""
        class_id = ClassId(max((c.id for c in self.classes), default=0) + 1)
        value = max((c.value for c in self.classes if c.value is not None), default=0) + 1
        fresh = SegClass(
            class_id, name, value, colour or palette_colour(len(self.classes)), thing=thing
        )
        return ClassSet((*self.classes, fresh))

    def free_name(self) -> str:
        """A name for one more class, written as the others are: ``class 3``, ``Class 3``."""
        taken = {c.name.casefold() for c in self.classes}
        number = next(n for n in range(1, len(taken) + 2) if f"class {n}" not in taken)
        capital = any(c.name[:1].isupper() for c in self.classes)
        return f"{'Class' if capital else 'class'} {number}"

    def changed(self, class_id: int, **fields: Any) -> ClassSet:
        """With other fields for one class, for example ``changed(3, name="Kerb")``."""
        return ClassSet(
            tuple(replace(c, **fields) if c.id == class_id else c for c in self.classes)
        )


def _require_distinct(what: str, keys: Sequence[int | str]) -> None:
    seen: set[int | str] = set()
    for key in keys:
        if key in seen:
            raise ClassMismatch(
                f"Two classes have the {what} {key}.", f"Give every class a {what} of its own."
            )
        seen.add(key)


def _named_uuid(preset: str, name: str) -> str:
    """A uuid that is the same in every project that uses the preset."""
    return str(uuid.uuid5(_NAMESPACE, f"{preset}/{name}"))


def _camvid() -> ClassSet:
    # name, colour on screen (an index of the palette), colours in colour-coded files, thing
    rows: list[tuple[str, str, tuple[str, ...], bool]] = [
        ("Sky", "#B0D0F8", ("#808080",), False),
        ("Building", "#805000", ("#800000",), False),
        ("Pole", "#F0F0F0", ("#C0C080",), False),
        ("Road", "#905078", ("#804080",), False),
        ("Pavement", "#8878F8", ("#0000C0", "#3C28DE"), False),
        ("Tree", "#009E73", ("#808000",), False),
        ("Sign", "#D55E00", ("#C08080",), False),
        ("Fence", "#CC79A7", ("#404080",), False),
        ("Car", "#56B4E9", ("#400080",), True),
        ("Pedestrian", "#F0E442", ("#404000",), True),
        ("Bicyclist", "#E69F00", ("#0080C0",), True),
    ]
    classes = [
        SegClass(
            ClassId(value + 1),
            name,
            value,
            colour,
            thing=thing,
            uuid=_named_uuid("camvid", name),
            file_colours=file_colours,
        )
        for value, (name, colour, file_colours, thing) in enumerate(rows)
    ]
    void = SegClass(
        ClassId(12),
        "void",
        11,
        None,
        ignore=True,
        uuid=_named_uuid("camvid", "void"),
        file_colours=("#000000",),
    )
    return ClassSet((*classes, void))


def _binary() -> ClassSet:
    return ClassSet(
        (
            SegClass(ClassId(1), "background", 0, None, uuid=_named_uuid("binary", "background")),
            SegClass(
                ClassId(2),
                "foreground",
                1,
                palette_colour(0),
                uuid=_named_uuid("binary", "foreground"),
            ),
        )
    )


CLASS_PRESETS: dict[str, ClassSet] = {"camvid": _camvid(), "binary": _binary()}
