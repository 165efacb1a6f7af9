"""A small AWS Batch on this machine: it takes jobs, lists them by name, and loses answers as a test asks."""

import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class BatchServer:
    """`jobs` are those that it has taken; `swallow` is called with a job taken, and True cuts the line."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.swallow: Callable[[dict[str, Any]], bool] = lambda job: False

    def __enter__(self) -> "BatchServer":
        server = self

        class Handler(_Handler):
            batch = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        self.environment = {"AWS_ENDPOINT_URL_BATCH": f"http://127.0.0.1:{self.http.server_port}"}
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, call: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        self.calls.append(call)
        if call == "listjobs":
            ((name,),) = [filter_["values"] for filter_ in asked["filters"]]
            return {"jobSummaryList": [job for job in self.jobs if job["jobName"] == name]}
        job = asked | {"jobId": str(uuid.uuid4())}
        self.jobs.append(job)
        return None if self.swallow(job) else job


class _Handler(BaseHTTPRequestHandler):
    batch: BatchServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.batch.answer(self.path.removeprefix("/v1/"), asked)
        if answer is None:
            self.close_connection = True
            return
        body = json.dumps(answer).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
