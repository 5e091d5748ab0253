"""A second process with the same project: started by the tests of the one-writer rule.

``other_window.py PROJECT``; for each line on standard input it does something and answers a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from store_kit import block

from segcore.base import MaskwrightError
from segcore.store import Project


def main() -> None:
    """Answer until the input ends."""
    project = Project.open(Path(sys.argv[1]), person="Grace")
    print("reads" if project.read_only else "writes", flush=True)
    item = project.items[0]
    for line in sys.stdin:
        command = line.strip()
        if command == "writer":
            answer = project.writer
        elif command == "poll":
            changed = project.poll()
            answer = f"{len(changed)} {item.labels.counts().get(2, 0)} {item.state}"
        elif command == "history":
            answer = ", ".join(row.name for row in project.scribe.history(item.id))
        elif command == "paint":
            try:
                project.apply(item, block(0, 0, 10, 10, 3))
                project.scribe.flush()
                answer = "painted"
            except MaskwrightError as error:
                answer = str(error)
        else:
            break
        print(answer, flush=True)
    project.close()


if __name__ == "__main__":
    main()
