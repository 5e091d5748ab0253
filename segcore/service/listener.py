"""Where the started processes of a client connect: a local socket that knows a key.

Every connection is greeted on a thread of its own, so one that is silent, or sends garbage, or
has another key, keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from multiprocessing import connection as pipes
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from typing import Any

from segcore.service.protocol import PROTOCOL_VERSION, Channel, Hello, ProtocolError

log = logging.getLogger(__name__)


class Door:
    """The listening end.

    Parameters
    ----------
    authkey : what a process must know.
    welcome : called with hello and channel of a process that knows it, on the thread that from
        then on belongs to that connection.
    """

    def __init__(self, authkey: bytes, welcome: Callable[[Hello, Channel], None]) -> None:
        self._authkey = authkey
        self._welcome = welcome
        self._closed = False
        # A socket in a folder that only this person may enter, or a named pipe on Windows. No
        # authkey here: Listener.accept would wait for the answer of a silent peer.
        self._listener = Listener(backlog=16)
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    @property
    def address(self) -> Any:
        return self._listener.address

    def close(self) -> None:
        """Accept nobody any more."""
        self._closed = True
        # Closing a socket does not wake the thread that waits on it; a caller does.
        with contextlib.suppress(OSError, EOFError):
            pipes.Client(self._listener.address).close()
        with contextlib.suppress(OSError):
            self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError) as error:
                log.debug("a connection failed: %s", error)
                continue
            threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: Connection) -> None:
        try:
            deliver_challenge(connection, self._authkey)
            answer_challenge(connection, self._authkey)
            channel = Channel(connection)
            hello = channel.receive()
            if not isinstance(hello, Hello) or hello.version != PROTOCOL_VERSION:
                raise ProtocolError("not the hello of this version")
        except Exception as error:  # garbage ends in an AssertionError there, and in others
            if not self._closed:
                log.warning("a connection was refused: %s", error)
            connection.close()
            return
        self._welcome(hello, channel)
