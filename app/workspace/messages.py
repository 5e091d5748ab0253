"""What the window says by itself: a toast (it happened) or a banner (it stays true)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass

Tone = Literal["plain", "success", "warning", "danger"]


@dataclass(frozen=True)
class Remedy:
    """A button on a toast or a banner."""

    title: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Message:
    """One message.

    Parameters
    ----------
    text : one sentence; a toast in the past tense.
    kind : ``toast`` goes after 6 s, ``banner`` stays until `key` is withdrawn.
    tone : colour of its icon.
    key : name of a banner's condition, or of what a toast offers to take back; a banner with the
        same key replaces it.
    hint : what to do about it.
    remedy : the button, if one helps.
    withdrawn : what was said under `key` holds no more.
    """

    text: str
    kind: Literal["toast", "banner"] = "toast"
    tone: Tone = "plain"
    key: str = ""
    hint: str = ""
    remedy: Remedy | None = None
    withdrawn: bool = False

    @classmethod
    def of_error(cls, error: Exception) -> Message:
        """A toast for an error; a bug is named as one, without its class."""
        if isinstance(error, MaskwrightError):
            return cls(error.message, tone="warning", hint=error.hint)
        return cls(
            "Something went wrong inside Maskwright.",
            tone="danger",
            hint="Your work is kept. Details are in the log.",
        )
