"""Servers at the address of the Hub that answer as no Hub does."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

COMMIT = "0" * 39 + "1"
REPEATED = 300  # of what is sent again and again: longer than any test waits for
ADDRESS = [""]  # of the server that is there
Send = Callable[[bytes], None]
Server = Callable[[str, str, Send], None]  # method, path, what sends bytes to the client


def head(body: bytes, kind: str = "application/json", code: str = "200 OK", **more: str) -> bytes:
    fields = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **more}
    fields = {name.replace("_", "-"): said for name, said in fields.items()}
    lines = [f"{name}: {said}" for name, said in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {code}", *lines]).encode() + b"\r\n\r\n"


def says(body: object, kind: str = "application/json", code: str = "200 OK", **more: str) -> Server:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def server(method: str, path: str, send: Send) -> None:
        send(head(raw, kind, code, **more) + (raw if method == "GET" else b""))

    return server


def raw(*parts: bytes, wait_s: float = 0.0) -> Server:
    def server(method: str, path: str, send: Send) -> None:
        for part in parts:
            send(part)
            time.sleep(wait_s)

    return server


def info(**more: object) -> dict[str, object]:
    return {"id": "org/x", "sha": COMMIT, "siblings": [], "tags": [], "private": False, **more}


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PAGE = b"<html><title>Log in to the network</title></html>"
LOOKUPS: dict[str, Server] = {
    "a login page": says(PAGE, "text/html"),
    "a login page called JSON": says(PAGE),
    "nothing": says(b""),
    "a number": says(3), "a list": says([]), "null": says(None), "a text": says("x"),
    "an empty object": says({}),
    "no commit": says(info(sha=None)), "a commit above": says(info(sha="../../x")),
    "a commit that is a number": says(info(sha=3)), "a commit of one letter": says(info(sha="z")),
    "siblings that are a text": says(info(siblings="x")),
    "siblings that are numbers": says(info(siblings=[1, 2])),
    "a file above": says(info(siblings=[{"rfilename": "../../x"}])),
    "a file of the system": says(info(siblings=[{"rfilename": "/etc/cron.d/x"}])),
    "a file with an escape": says(info(siblings=[{"rfilename": "\x1b[31m.json"}])),
    "a file without a name": says(info(siblings=[{"rfilename": ""}])),
    "deep JSON": says(b"[" * 200_000 + b"]" * 200_000),
    "deep objects": says(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "bytes that are no UTF-8": says(b'{"id": "\xff\xfe"}'),
    "a number of 5,000 digits": says(b'{"sha": ' + b"9" * 5_000 + b"}"),
    "half an object": says(b'{"id": "org/x", "sha'),
    "70 MB": says(b'"' + b"x" * (70 << 20) + b'"'),
    "more than announced": raw(head(b"{}") + b"{}" * 1_000_000),
    "less than announced": raw(head(b"x" * 1_000) + b"{"),
    "10 TB announced": raw(head(b"", Content_Length=str(10**13)) + b"{"),
    "a negative length": raw(head(b"", Content_Length="-5")),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    "a length in words": raw(head(b"", Content_Length="many")),
    "chunks of no length": raw(CHUNKED, b"zz\r\n"),
    "a chunk of 10 TB": raw(CHUNKED, b"9184e72a000\r\n"),
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "zeros": raw(b"\0" * 100_000),
    "nothing at all": raw(b""),
    "a status of its own": raw(b"HTTP/1.1 999 No\r\n\r\n"),
    "a status in words": raw(b"HTTP/1.1 fine\r\n\r\n"),
    "a header of 10 MB": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (10 << 20) + b"\r\n\r\n"),
    "100,000 headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n{}"),
    "an error": says(b"no", code="500 Internal Server Error"),
    "an error in HTML": says(PAGE, "text/html", code="502 Bad Gateway"),
    "not paid": says(b"{}", code="402 Payment Required"),
    "forbidden": says(b"{}", code="403 Forbidden"),
    "a teapot": says(PAGE, "text/html", code="418 I'm a teapot"),
    "a redirect to itself": lambda m, path, send: send(head(b"", code="302 Found", Location=path)),
    "redirects without end": lambda m, path, send: send(
        head(b"", code="302 Found", Location=path + "x")
    ),
    "a redirect to nowhere": says(b"", code="302 Found"),
    "a redirect to a file": says(b"", code="302 Found", Location="file:///etc/passwd"),
    "a redirect to another protocol": says(b"", code="307 T", Location="ftp://127.0.0.1/x"),
    "a redirect to no address": says(b"", code="302 Found", Location="http://[::"),
    "a redirect to a dead port": says(b"", code="302 Found", Location="http://127.0.0.1:9/x"),
    "compressed 1,000 times": says(
        gzip.compress(b" " * (64 << 20)), code="200 OK", Content_Encoding="gzip"
    ),
    "another compression": says(b"{}", Content_Encoding="br"),
    "a header that drips": raw(b"HTTP/1.1 200 OK\r\n", *[b"X"] * REPEATED, wait_s=0.2),
    "a body that drips": raw(head(b"x" * 999), *[b" "] * REPEATED, wait_s=0.2),
    "100 Continue without end": raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * REPEATED, wait_s=0.05),
    "silence": raw(b"", *[b""] * REPEATED, wait_s=0.2),
    "silence after a header": raw(head(b"xx"), *[b""] * REPEATED, wait_s=0.2),
}  # fmt: skip
"""What the first question, whether there is such a repository, may be answered with."""


def repository(file: Server, listing: object = None) -> Server:
    """One that is found, and lists config.json; the file itself is `file`'s matter."""
    entry = {"type": "file", "path": "config.json", "size": 2, "oid": "a" * 40}

    def server(method: str, path: str, send: Send) -> None:
        if "/resolve/" in path:
            return file(method, path, send)
        if "/tree/" in path:
            if callable(listing):
                return listing(method, path, send)
            return says([entry] if listing is None else listing)(method, path, send)
        return says(info(siblings=[{"rfilename": "config.json"}]))(method, path, send)

    return server


def whole(body: bytes = b"{}", **more: str) -> Server:
    return says(body, **{"ETag": '"abc"', "X_Repo_Commit": COMMIT, **more})


def after_head(*parts: bytes, wait_s: float = 0.0, size: int = 100) -> Server:
    """A file that HEAD describes well, and GET sends otherwise."""

    def server(method: str, path: str, send: Send) -> None:
        if method == "HEAD":
            return send(head(b"x" * size, ETag='"abc"', X_Repo_Commit=COMMIT))
        return raw(*parts, wait_s=wait_s)(method, path, send)

    return server


def endless(method: str, path: str, send: Send) -> None:
    """A file of 100 bytes that never ends."""
    if method == "HEAD":
        return send(head(b"x" * 100, ETag='"abc"', X_Repo_Commit=COMMIT))
    send(CHUNKED)
    while True:
        send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")


def pages(method: str, path: str, send: Send) -> None:
    """A listing of which each page names another one."""
    body = b"[]"
    send(head(body, Link=f'<{ADDRESS[0]}{path}x>; rel="next"') + body)


def entry(**more: object) -> list[dict[str, object]]:
    return [{"type": "file", "path": "config.json", "size": 2, "oid": "a" * 40, **more}]


DOWNLOADS: dict[str, Server] = {
    "a name above": repository(whole(ETag='"../../../../evil"')),
    "a name of the system": repository(whole(ETag='"/etc/evil"')),
    "a linked name above": repository(whole(X_Linked_ETag='"../../evil"')),
    "a commit above": repository(whole(X_Repo_Commit="../../evil")),
    "a name with an escape": repository(whole(ETag='"\x1b[31m"')),
    "an empty name": repository(whole(ETag='""')),
    "a name of 1,000 letters": repository(whole(ETag=f'"{"a" * 1_000}"')),
    "a login page": repository(says(PAGE, "text/html")),
    "a login page with a name": repository(says(PAGE, "text/html", ETag='"abc"')),
    "no name": repository(says(b"{}", X_Repo_Commit=COMMIT)),
    "forbidden": repository(says(b"{}", code="403 Forbidden")),
    "gone": repository(says(b"{}", code="404 Not Found")),
    "an error": repository(says(b"{}", code="500 Internal Server Error")),
    "a file above": repository(whole(), entry(path="../../evil")),
    "a file of the system": repository(whole(), entry(path="/etc/evil")),
    "a file below a link above": repository(whole(), entry(path="a/../../evil")),
    "a listing in HTML": repository(whole(), says(PAGE, "text/html")),
    "a listing that is a number": repository(whole(), 3),
    "a listing of numbers": repository(whole(), [1, 2]),
    "a listing without paths": repository(whole(), [{"type": "file"}]),
    "a listing of another type": repository(whole(), entry(type=[], size="x")),
    "an empty listing": repository(whole(), []),
    "a deep listing": repository(whole(), says(b"[" * 100_000 + b"]" * 100_000)),
    "a file of 10 TB": repository(whole(Content_Length=str(10**13)), entry(size=10**13)),
    "a file of 10 TB elsewhere": repository(whole(X_Linked_Size=str(10**13))),
    "a file that ends early": repository(after_head(head(b"x" * 100) + b"x")),
    "a file that is longer": repository(after_head(head(b"x" * 900) + b"x" * 900)),
    "a file that is shorter": repository(after_head(head(b"x") + b"x")),
    "a file without end": repository(endless),
    "a file that is an error": repository(after_head(head(PAGE, "text/html", "503 Busy") + PAGE)),
    "a file that breaks off": repository(after_head(b"")),
    "a file of another protocol": repository(after_head(b"\0" * 1_000)),
    "a compressed file": repository(
        after_head(head(b"x" * 50, Content_Encoding="gzip") + gzip.compress(b" " * (1 << 20)))
    ),
    "a redirect to itself": repository(
        lambda m, path, send: send(head(b"", code="302 Found", Location=path))
    ),
    "a redirect to a file": repository(says(b"", code="302 Found", Location="file:///etc/passwd")),
    "a file that drips": repository(after_head(head(b"x" * 100), *[b"x"] * 90, wait_s=0.2)),
    "a header that drips": repository(
        after_head(b"HTTP/1.1 200 OK\r\n", *[b"X"] * REPEATED, wait_s=0.2)
    ),
    "silence": repository(after_head(*[b""] * REPEATED, wait_s=0.2)),
    "a listing without end": repository(whole(), pages),
}  # fmt: skip
"""What the client meets that fetches a repository which is there."""


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """The address of a server on this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def talk(link: socket.socket) -> None:
        def send(part: bytes) -> None:
            if closed.is_set():
                raise ConnectionAbortedError
            link.sendall(part)

        with link, contextlib.suppress(OSError, ValueError):
            link.settimeout(20)
            asked = b""
            while b"\r\n\r\n" not in asked and (part := link.recv(65536)):
                asked += part
            if asked:
                method, path, _ = asked.decode("latin-1").split("\r\n")[0].split(" ")
                server(method, path, send)
            link.shutdown(socket.SHUT_WR)

    def listen() -> None:
        while not closed.is_set():
            with contextlib.suppress(OSError):
                link, _ = listener.accept()
                threading.Thread(target=talk, args=(link,), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        ADDRESS[0] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield ADDRESS[0]
    finally:
        closed.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
