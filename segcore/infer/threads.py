"""How the processor is shared with others; to be said before torch is loaded. No torch."""

from __future__ import annotations

import os


def share_processor() -> None:
    """Let torch's threads sleep while they wait for each other.

    By default they spin. Beside a process that keeps all cores busy (a training) they then wait
    for a thread that gets no core: on two cores a tile of 512 x 512 pixels took 0.2 to 2.2 s
    spinning and 0.23 s sleeping, one of 52 x 34 pixels 0.2 to 1.5 s and 0.02 s. Who has set the
    policy keeps it. Of no effect once torch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
