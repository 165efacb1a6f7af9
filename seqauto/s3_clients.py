"""Builds clients of S3 and AWS Batch, from a lab's rules; nothing is asked of a server here."""

from __future__ import annotations

from functools import cache
from typing import Any

from sequencing.s3 import Options, client_settings

from .delivery_rules import S3Rules


def s3_client(rules: S3Rules, **settings: Any) -> Any:
    """A client for the buckets of these rules; credentials come from where boto3 looks for them.

    `settings` are further keywords of botocore's Config.
    """
    from botocore.config import Config  # a tenth of a second, which pages and scans need not wait for
    from botocore.session import Session

    session = Session(profile=rules.profile or None)
    session.register_component("data_loader", _loader())
    return session.create_client(
        "s3",
        endpoint_url=rules.endpoint_url or None,
        config=Config(**client_settings(s3_options(rules)) | settings),
    )


@cache
def _loader() -> Any:
    """What botocore knows of S3, read once; credentials, which people renew, are looked for each time."""
    from botocore.loaders import create_loader

    return create_loader()


def log_client(rules: S3Rules) -> Any:
    """A client that does not wait long: a log is copied again soon."""
    return s3_client(rules, connect_timeout=5, read_timeout=20)


def batch_client(rules: S3Rules) -> Any:
    """A client for AWS Batch, of the same account. It asks once: a job that was sent twice would run twice.

    An answer is awaited for shorter than a step's lease, so that no other worker asks meanwhile.
    """
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
    return boto3.Session(profile_name=rules.profile or None).client("batch", config=config)


def s3_options(rules: S3Rules) -> Options:
    return Options(
        storage_class=rules.storage_class,
        acl=rules.acl,
        owner=rules.bucket_owner,
        checksums="when_required" if rules.checksums == "when_required" else "when_supported",
    )
