"""A real S3 server for the story of a delivery, and its credentials where boto3 looks for them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "sequencing" / "s3"))  # where uploads have their server

from s3_server import ACCESS_KEY, SECRET_KEY, RcloneServer

BUCKET = "lab-fastq"


@pytest.fixture
def s3_server(tmp_path, monkeypatch) -> Iterator[RcloneServer]:
    """An S3 server with one empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with RcloneServer(tmp_path / "s3", BUCKET) as server:
        yield server
