"""A small HTTP proxy before a real server: it cuts, delays, alters and refuses as a test tells it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Request:
    method: str
    path: str  # with the query
    headers: dict[str, str]
    body: bytes

    @property
    def part(self) -> int:
        """The number of the part that is sent, not that of the probe; 0 where it is none."""
        number = parse_qs(urlsplit(self.path).query).get("partNumber", ["0"])[0]
        return 0 if "checksum-probe" in self.path else int(number)


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


Fault = Callable[[Request, Callable[[Request], Answer]], Answer | None]


def error(status: int, code: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the test</Message></Error>"
    return Answer(status, [("Content-Type", "application/xml")], body.encode())


class FaultyProxy:
    """Faults are functions of a request and of "ask the server"; to return None cuts the connection."""

    def __init__(self, port: int) -> None:
        self.server_port = port
        self.requests: list[Request] = []
        self.fault: Fault = lambda request, ask: ask(request)
        self._lock = threading.Lock()

    def __enter__(self) -> "FaultyProxy":
        proxy = self

        class Handler(_Handler):
            line = proxy

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    @contextmanager
    def faulty(self, fault: Fault) -> Iterator[None]:
        before, self.fault = self.fault, fault
        try:
            yield
        finally:
            self.fault = before

    def asked(self, method: str, what: str = "") -> list[Request]:
        return [request for request in self.requests if request.method == method and what in request.path]

    def answer(self, request: Request) -> Answer | None:
        with self._lock:
            self.requests.append(request)
        return self.fault(request, self.ask)

    def ask_partly(self, request: Request, size: int) -> None:
        """Let the server see only the first bytes of a body before the line breaks."""
        with socket.create_connection(("127.0.0.1", self.server_port)) as server:
            head = [f"{request.method} {request.path} HTTP/1.1"]
            head += [f"{name}: {value}" for name, value in request.headers.items()]
            server.sendall("\r\n".join([*head, "", ""]).encode() + request.body[:size])

    def ask(self, request: Request) -> Answer:
        server = HTTPConnection("127.0.0.1", self.server_port, timeout=60)
        try:
            server.request(request.method, request.path, request.body or None, request.headers)
            answer = server.getresponse()
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
            if request.method == "HEAD":
                headers.append(("Content-Length", answer.getheader("Content-Length", "0")))
            return Answer(answer.status, headers, answer.read())
        finally:
            server.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    line: FaultyProxy

    def _handle(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        request = Request(self.command, self.path, headers, body)
        if len(body) < size:  # the client has broken off
            self.line.ask_partly(request, len(body))
            self.close_connection = True
            return
        answer = self.line.answer(request)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle

    def log_message(self, *_: object) -> None:
        pass
