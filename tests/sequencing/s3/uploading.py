"""What the tests of uploads share: one project's run, and a client for it."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from s3_server import ACCESS_KEY, SECRET_KEY

from sequencing.s3 import Options, Outgoing, ProjectRun, client_settings

BUCKET = "delivered"
RUN = ProjectRun("MUSCLE", "M00879", 31, "000000000-A69NA", date(2014, 2, 10))
BELOW = "lab/MUSCLE/M00879_31/"
PART = 5 * 1024 * 1024
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUICK: dict[str, Any] = {
    "threads": 4, "part_bytes": PART, "whole_bytes": 0, "first_pause": 0.01, "longest_pause": 0.05,
}  # fmt: skip


def make_client(endpoint: str, options: Options) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(**{**client_settings(options), "read_timeout": 2}),
    )


def make_file(path: Path, size: int) -> Outgoing:
    path.write_bytes(os.urandom(size))
    return Outgoing(path, path.name, size)
