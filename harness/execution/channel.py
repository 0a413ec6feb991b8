"""What a worker tells the driver while it runs: messages of JSON over a socket.

Each is its length in 8 bytes, the highest first, and then a list of a kind and a value. The driver
reads without ever waiting, so that a worker which stops in mid-message stops nobody else.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

HEAD_BYTES = 8
CHUNK_BYTES = 1 << 20
MAX_MESSAGE_BYTES = 4 << 30

Message = tuple[str, Any]


class Sender:
    """The worker's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def send(self, kind: str, value: object) -> None:
        """Send one message; waits until the driver has room for it."""
        body = json.dumps([kind, value]).encode()
        with self._lock:
            self._end.sendall(len(body).to_bytes(HEAD_BYTES, "big") + body)

    def wait_for_end(self) -> None:
        """Return once the driver's end is closed: it never sends anything."""
        while self._end.recv(1):
            pass


class Receiver:
    """The driver's end."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._read = bytearray()
        self.is_over = False
        """Whether all other ends are closed: nothing more will come."""

    def fileno(self) -> int:
        """The descriptor, to be waited for."""
        return self._end.fileno()

    def messages(self) -> list[Message]:
        """Those that came whole since the last call. Raises `ValueError` for what is none."""
        while not self.is_over:
            try:
                chunk = self._end.recv(CHUNK_BYTES)
            except BlockingIOError:
                break
            except OSError:  # the worker was killed with something unread
                chunk = b""
            self._read += chunk
            self.is_over = not chunk
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def close(self) -> None:
        """Close this end; a worker that still runs ends itself."""
        self._end.close()

    def _next(self) -> Message | None:
        if len(self._read) < HEAD_BYTES:
            return None
        end = HEAD_BYTES + int.from_bytes(self._read[:HEAD_BYTES], "big")
        if end > MAX_MESSAGE_BYTES:
            raise ValueError(f"a worker announced a message of {end:,} bytes")
        if len(self._read) < end:
            return None
        kind, value = json.loads(bytes(self._read[HEAD_BYTES:end]))
        del self._read[:end]
        return kind, value
