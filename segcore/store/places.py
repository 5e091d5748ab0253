"""What the store asks the system: who works here, and whether a folder is on another machine."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

_NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "9p", "fuse.sshfs", "afs", "ncpfs"}
)


def this_person() -> str:
    """The name of whoever is logged in, "" if the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def is_network_share(folder: Path) -> bool:
    """Whether a folder lies on another machine, where processes cannot share memory."""
    folder = folder.absolute()
    if sys.platform == "win32":
        return _is_remote_drive(folder)
    if sys.platform == "linux":
        mounts = _linux_mounts()
    else:
        import psutil

        mounts = [(Path(p.mountpoint), p.fstype) for p in psutil.disk_partitions(all=True)]
    inside = [(len(at.parts), kind) for at, kind in mounts if folder.is_relative_to(at)]
    return bool(inside) and max(inside)[1] in _NETWORK_TYPES


def _linux_mounts() -> list[tuple[Path, str]]:
    try:
        text = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    fields = [line.split() for line in text.splitlines()]
    return [(Path(f[1].replace("\\040", " ")), f[2]) for f in fields if len(f) > 2]


def _is_remote_drive(folder: Path) -> bool:
    if folder.drive.startswith("\\\\"):
        return True
    import ctypes

    remote = 4
    windll = getattr(ctypes, "windll", None)
    drive = f"{folder.drive}\\"
    return windll is not None and windll.kernel32.GetDriveTypeW(drive) == remote
