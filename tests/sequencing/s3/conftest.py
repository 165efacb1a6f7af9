"""A real S3 server, a faulty line to it, and a project's files to upload."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from faulty_proxy import FaultyProxy
from s3_server import RcloneServer
from uploading import BUCKET, NOW, PART, QUICK, RUN, make_client, make_file

from sequencing.s3 import Options, Outgoing, ProjectRun, upload_project


@pytest.fixture
def server(tmp_path) -> Iterator[RcloneServer]:
    with RcloneServer(tmp_path / "server", BUCKET) as server:
        yield server


@pytest.fixture
def line(server) -> Iterator[FaultyProxy]:
    """The only way to the server, as faulty as a test wants it."""
    with FaultyProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def files(tmp_path) -> list[Outgoing]:
    """Two files that go whole and one that goes in three parts."""
    folder = tmp_path / "fastq"
    folder.mkdir()
    sizes = {
        "S1_S1_R1_001.fastq.gz": 1000,
        "S1_S1_R2_001.fastq.gz": 2000,
        "S2_S2_R1_001.fastq.gz": 2 * PART + 7,
    }
    return [make_file(folder / name, size) for name, size in sizes.items()]


@pytest.fixture
def upload(line, files) -> Callable[..., Any]:
    """Uploads the project's files through the faulty line; keywords are those of Options."""

    def upload(
        *, run: ProjectRun = RUN, client: Any = None, outgoing: Any = None, now: datetime = NOW,
        progress: Any = lambda done, total: None, stop: Any = lambda: False,
        say: Any = lambda trouble: None, **more: Any,
    ) -> Any:  # fmt: skip
        options = Options(**{**QUICK, **more})
        client = client or make_client(line.endpoint, options)
        outgoing = files if outgoing is None else outgoing
        return upload_project(
            client, BUCKET, "lab", run, outgoing, options, now=now, progress=progress, stop=stop, say=say
        )

    return upload
