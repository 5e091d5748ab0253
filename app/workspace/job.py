"""One job as the jobs panel shows it."""

from __future__ import annotations

from segcore.base.dataclass import dataclass

RUNNING = ("queued", "running", "cancelling")


@dataclass(frozen=True)
class JobRow:
    """One job as the panel shows it.

    Parameters
    ----------
    number : of the client.
    title : what it does.
    state : queued, running, cancelling, done, failed, cancelled, lost.
    progress : 0 to 1.
    reason : why it failed or was lost.
    started : seconds, `time.monotonic`.
    ahead : nobody asked for it, and nobody waits.
    """

    number: int
    title: str
    item_id: str
    state: str = "queued"
    progress: float = 0.0
    reason: str = ""
    started: float = 0.0
    ahead: bool = False

    @property
    def is_running(self) -> bool:
        return self.state in RUNNING
