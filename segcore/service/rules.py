"""How each kind of process is started, watched and ended: one row a kind."""

from __future__ import annotations

from segcore.base.dataclass import dataclass
from segcore.service.protocol import Kind

# Told to stop, a refiner looks up between two iterations and a core between two tiles. One that
# does not is killed: a refiner soon, a core only if its device hangs.
_REFINER_GRACE_S = 0.25
_CORE_GRACE_S = 60.0


@dataclass(frozen=True)
class Rules:
    """How a kind of process is treated.

    Parameters
    ----------
    module : what is started.
    processes : how many are kept started; all but one of them are spare.
    killable : a job that outlives its budget is ended with its process. A core is only told to
        stop: its models are expensive.
    grace_s : what a job that was told to stop gets before it is ended with its process.
    """

    module: str
    processes: int
    killable: bool
    grace_s: float


RULES: dict[Kind, Rules] = {
    "core": Rules("segcore.service.core", 1, killable=False, grace_s=_CORE_GRACE_S),
    "refiner": Rules("segcore.service.refiner", 2, killable=True, grace_s=_REFINER_GRACE_S),
}
