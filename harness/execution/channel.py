"""What a worker sends to the driver while it runs: JSON messages over a socket.

A message is its length in 8 bytes (big-endian), then a JSON list of its kind and its value. The
driver never blocks on a read, so a worker that stops in mid-message does not stop the driver.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

HEAD_BYTES = 8
CHUNK_BYTES = 1 << 20
MAX_MESSAGE_BYTES = 4 << 30

Message = tuple[str, Any]  # a kind and a value, of a type that depends on the kind


class Sender:
    """The worker's end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def send(self, kind: str, value: object) -> None:
        """Send one message; blocks until there is room for it in the socket."""
        body = json.dumps([kind, value]).encode()
        with self._lock:
            self._end.sendall(len(body).to_bytes(HEAD_BYTES, "big") + body)

    def wait_for_end(self) -> None:
        """Return once the driver's end is closed; the driver never sends anything."""
        while self._end.recv(1):
            pass


class Receiver:
    """The driver's end."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._read = bytearray()
        self.is_over = False
        """Whether the worker's end is closed, so that nothing more will come."""

    def fileno(self) -> int:
        """The descriptor, to be waited for."""
        return self._end.fileno()

    def messages(self) -> list[Message]:
        """The messages completed since the last call. Raises `ValueError` for an impossible one."""
        while not self.is_over:
            try:
                chunk = self._end.recv(CHUNK_BYTES)
            except BlockingIOError:
                break
            except OSError:  # the worker was killed with something unread
                chunk = b""
            self._read += chunk
            self.is_over = not chunk
        return list(iter(self._next, None))

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
