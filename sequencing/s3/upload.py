"""The story of an upload: look at what stands there, send each file, prove each, write `meta.json` last."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .bucket import abort_leftovers, check_bucket, checks_checksums, sizes_below
from .calls import BEAT_SECONDS, Calls, Options, Refused
from .evidence import Digests
from .names import META_NAME, ProjectRun, file_key, meta_bytes, meta_differences, meta_document
from .reading import LocalFile
from .sending import Sender, Shared, Transfer, Uploaded, conflict

MOST_META_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file to upload: where it is, its name below the prefix, and what it was when it was judged.

    Its time and hashes (MD5, and XXH3 of 128 bits, both hexadecimal) are compared where they are given: a
    file that differs is never an object. With both hashes it is sent faster.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int | None = None
    md5: str = ""
    xxh3: str = ""


def upload_project(
    client: Any,
    bucket: str,
    prefix: str,
    run: ProjectRun,
    files: Sequence[Outgoing],
    options: Options,
    *,
    now: datetime,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda trouble: None,
) -> tuple[Uploaded, ...]:
    """Upload a project's files of one run, prove each, then write `meta.json`, the last of those returned.

    `prefix` is what stands above the project. `progress` hears the bytes sent and those of all files, `say`
    why S3 is asked again, and "" once it has answered; both and `stop` are called from the caller's thread
    only. May be killed at any moment and called again with the same result; one call a run and project at a
    time. Raises UploadProblem; ValueError for an unsafe name.
    """
    below = run.prefix(prefix)
    local = _local_files(below, files, options)
    calls = Calls(client, bucket, options, stop=stop, say=say)
    check_bucket(calls)
    there = sizes_below(calls, below)
    _refuse_another_run(calls, below, there, local, meta_document(run, now, ()))
    abort_leftovers(calls, below)
    sender = Sender(calls, options.checksums == "when_supported" and checks_checksums(calls, below))
    transfers = [sender.transfer(key, file, key in there) for key, file in local.items()]
    uploaded = _upload_all(sender, transfers, progress)
    described = [(one.key.removeprefix(below), one.size, one.md5) for one in uploaded]
    return (*uploaded, _write_meta(sender, below + META_NAME, meta_document(run, now, described)))


def _local_files(below: str, files: Sequence[Outgoing], options: Options) -> dict[str, LocalFile]:
    local = {
        file_key(below, file.name): LocalFile(
            file.path, file.size, options.part_bytes, file.mtime_ns, file.md5, file.xxh3
        )
        for file in files
    }
    if not local or len(local) < len(files):
        raise ValueError(f"{below}: {len(files)} files with {len(local)} names cannot be uploaded")
    return local


def _refuse_another_run(
    calls: Calls, below: str, there: Mapping[str, int], local: dict[str, LocalFile], ours: dict[str, Any]
) -> None:
    """Another run may have the same instrument and run number; its objects and ours are never mixed."""
    if below + META_NAME in there:
        known = {key: value for key, value in ours.items() if key != "files"}
        if differences := meta_differences(known, _read_meta(calls, below + META_NAME)[0]):
            raise conflict(calls, below + META_NAME, f"tells of another run ({', '.join(differences)})")
    elif strangers := sorted(there.keys() - local.keys()):
        raise conflict(calls, strangers[0], "is none of this run's files, and no meta.json tells whose it is")
    for key in sorted(there.keys() & local.keys()):
        if there[key] != local[key].size:
            raise conflict(calls, key, f"has {there[key]:,} bytes, our file has {local[key].size:,}")


# ---- all files, many at once ----


def _upload_all(
    sender: Sender, transfers: list[Transfer], progress: Callable[[int, int], None]
) -> list[Uploaded]:
    """Send the parts of all files in order from one pool, so that no thread waits for another file's end."""
    total = sum(transfer.file.size for transfer in transfers)
    steps = Shared(transfer for transfer in transfers for _ in range(transfer.step_count))
    threads = sender.calls.options.threads
    with ThreadPoolExecutor(threads, thread_name_prefix="upload") as pool:
        workers = [pool.submit(sender.work, steps) for _ in range(threads)]
        try:
            for _beat in _until_ended(workers):
                progress(sender.sent, total)
                sender.calls.beat()
        except BaseException:
            sender.calls.halt.set()
            wait(workers)
            sender.abort(transfers)
            raise
    progress(total, total)
    return [sender.done[transfer.key] for transfer in transfers]


def _until_ended(workers: list[Future[None]]) -> Iterator[None]:
    """Come back every moment; raises what a worker raised."""
    others = set(workers)
    while others:
        ended, others = wait(others, timeout=BEAT_SECONDS, return_when=FIRST_EXCEPTION)
        for worker in ended:
            worker.result()
        yield


# ---- meta.json ----


def _write_meta(sender: Sender, key: str, document: dict[str, Any]) -> Uploaded:
    """Write `meta.json`, or keep one that an earlier try wrote: only its time may differ."""
    try:
        standing, head = _read_meta(sender.calls, key)
    except Refused as error:
        if not error.is_absence:
            raise
        body = meta_bytes(document)
        return sender.put(key, body, _digests(body), ContentType="application/json")
    if differences := meta_differences(document, standing):
        raise conflict(sender.calls, key, f"tells of other files ({', '.join(differences)})")
    etag, version = str(head.get("ETag", "")).strip('"'), str(head.get("VersionId", ""))
    md5 = _digests(standing).md5
    return Uploaded(key, len(standing), md5, etag, version, "read_back", already_there=True)


def _read_meta(calls: Calls, key: str) -> tuple[bytes, dict[str, Any]]:
    """Read an object that is small, with what else is told of it."""

    def read() -> tuple[bytes, dict[str, Any]]:
        answer = calls.ask_once("get_object", Key=key)
        with calls.plain_words("get_object"), closing(answer["Body"]) as body:
            return body.read(MOST_META_BYTES), answer

    return calls.retry("get_object", read)


def _digests(body: bytes) -> Digests:
    return Digests(len(body), hashlib.md5(body, usedforsecurity=False).hexdigest(), zlib.crc32(body))
