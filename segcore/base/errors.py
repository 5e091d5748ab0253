"""Errors that a person can act on: what happened to which file, and what to do about it.

Everything else that is raised is a bug and is reported as one.
"""

from __future__ import annotations


class MaskwrightError(Exception):
    """An error for people: one sentence, and a hint with the remedy.

    Parameters
    ----------
    message : names the file or thing and what is wrong with it.
    hint : what to do, an imperative sentence; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadFile(MaskwrightError):
    """A file that cannot be read as what it claims to be."""


class SizeMismatch(MaskwrightError):
    """A mask and its image do not lie on one grid."""


class UnknownValue(MaskwrightError):
    """A mask holds a value that no class of the project has."""


class ClassMismatch(MaskwrightError):
    """Two class sets cannot be brought together."""


class NotAProject(MaskwrightError):
    """A folder that is no project, or one of a newer program."""


class ProjectBusy(MaskwrightError):
    """Another process writes to this project."""


class ReadOnly(MaskwrightError):
    """A write to a project that was opened for reading."""


class Cancelled(MaskwrightError):
    """A job that was asked to stop, and did."""
