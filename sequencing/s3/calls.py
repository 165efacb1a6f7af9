"""Asks S3: every call with the bucket's owner, bounded retries, and errors in plain words.

Of the client's errors only ClientError can be had from the client itself; those of connections and
credentials are known by the names of their classes, for nothing here imports botocore.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Answer = TypeVar("Answer")

Code = Literal[
    "changed_locally",  # a file of ours is not what it was when it was judged
    "conflict",  # other content stands there
    "expired_credentials",
    "no_access",
    "no_bucket",
    "refused",
    "stopped",
    "unavailable",
    "unverified",  # sent, and not proven to have arrived
]


class UploadProblem(Exception):
    """Why an upload did not succeed, and what a person does next. Nothing counts as uploaded."""

    def __init__(self, code: Code, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence}. {remedy}")
        self.code, self.sentence, self.remedy = code, sentence, remedy


BEAT_SECONDS = 0.5  # how often progress is told and a stop is looked for
LEAST_PART_BYTES = 5 * 1024 * 1024  # Amazon S3 user guide, "Multipart upload limits"


@dataclass(frozen=True, slots=True)
class Options:
    """How to upload. Memory is about `threads` × `part_bytes`, more for files above 10,000 parts.

    Files above `part_bytes` go in parts; but where the server checks no checksums, only those above
    `whole_bytes`. Such a server proves by the MD5 that it computes of an object, and most of them tell that
    only of what came in one piece; of parts it must be read back, or hashed by the server once more.
    """

    threads: int = 8
    part_bytes: int = 8 * 1024 * 1024
    whole_bytes: int = 200 * 1024 * 1024  # as rclone's --s3-upload-cutoff
    storage_class: str = ""
    acl: str = ""
    owner: str = ""  # twelve digits: the account that must own the bucket
    checksums: Literal["when_supported", "when_required"] = "when_supported"
    read_back: Literal["auto", "always", "never"] = "auto"
    attempts: int = 10  # of each call; with these pauses, about two minutes
    first_pause: float = 0.5  # seconds, doubled at each attempt
    longest_pause: float = 30.0

    def __post_init__(self) -> None:
        if self.part_bytes < LEAST_PART_BYTES or self.threads < 1 or self.attempts < 1:
            raise ValueError(
                f"An upload needs parts of {LEAST_PART_BYTES:,} bytes, one thread and one attempt"
            )

    def pauses(self) -> Iterator[float]:
        """How long to wait after each failed attempt but the last: longer each time, no two uploads alike."""
        for attempt in range(self.attempts - 1):
            yield random.uniform(0.5, 1) * min(self.first_pause * 2**attempt, self.longest_pause)  # noqa: S311


def client_settings(options: Options) -> dict[str, Any]:
    """Return the keywords of the `botocore.config.Config` that a client for these options is built with.

    Retries are ours: botocore's would multiply with them. Bytes on their way are guarded by https, or by the
    CRC32 that is sent; hashing them once more to sign them would cost most of the time. Over plain http to a
    server that checks no CRC32, damaged bytes are noticed after they have arrived.
    """
    return {
        "connect_timeout": 10,
        "read_timeout": 60,
        "max_pool_connections": options.threads,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "retries": {"total_max_attempts": 1},
        "s3": {"payload_signing_enabled": False},
        "tcp_keepalive": True,
    }


class Refused(UploadProblem):
    """S3 said no, and would say so again. `s3_code` is S3's own word, or the HTTP status."""

    def __init__(self, s3_code: str, sentence: str) -> None:
        super().__init__("refused", sentence, "Check the settings of S3, then press Retry.")
        self.s3_code = s3_code

    @property
    def is_absence(self) -> bool:
        return self.s3_code in ("404", "NoSuchKey", "NotFound")


class Passing(Exception):
    """S3 is busy or out of reach; it may answer when it is asked again. `s3_code` as above, or "".

    `brief` is the message in few words.
    """

    def __init__(self, s3_code: str, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.s3_code, self.brief = s3_code, brief or message


_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_EXPIRED_NAMES = frozenset({"TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError"})
_NO_ACCESS = frozenset({
    "401", "403", "AccessDenied", "AccountProblem", "AllAccessDisabled", "InvalidAccessKeyId", "InvalidToken",
    "Forbidden", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
})  # fmt: skip
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"})
_NO_BUCKET = frozenset({"301", "307", "NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed"})
# BadDigest: bytes were damaged on their way, and refused. Conflicts are of two writers at the same moment.
_PASSING = frozenset({
    "408", "429", "BadDigest", "ConditionalRequestConflict", "IncompleteBody", "InternalError",
    "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling",
    "ThrottlingException", "XAmzContentChecksumMismatch",
})  # fmt: skip
_PASSING_NAMES = frozenset({
    "HTTPClientError", "ConnectionError", "TimeoutError", "IncompleteReadError", "ResponseParserError",
})  # fmt: skip


class ReadWhileSent:
    """A body that the client reads as it sends it, from its start at each attempt.

    The client wraps in an error of its own what reading raises; `problem` keeps it.
    """

    problem: UploadProblem | None = None

    def seek(self, place: int) -> None:
        raise NotImplementedError


class Calls:
    """One bucket, asked through one client; used by many threads at once.

    `stop` and `say` are called only in the thread that made this, the caller's: there no wait outlasts a stop
    by more than a moment. `say` hears why S3 is asked again, and "" once it has answered.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        options: Options,
        *,
        stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda trouble: None,
    ) -> None:
        self.client, self.bucket, self.options = client, bucket, options
        self.halt = threading.Event()  # for the other threads
        self._stop, self._say = stop, say
        self._caller = threading.get_ident()
        self._trouble = self._said = ""
        self._always = {"Bucket": bucket, **({"ExpectedBucketOwner": options.owner} if options.owner else {})}

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call until S3 answers. Raises UploadProblem, which is Refused where S3 answers no."""
        return self.retry(operation, lambda: self.ask_once(operation, **arguments))

    def ask_once(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Raises Passing too."""
        body = arguments.get("Body")
        if isinstance(body, ReadWhileSent):
            body.seek(0)
        try:
            with self.plain_words(operation):
                answer: dict[str, Any] = getattr(self.client, operation)(**{**self._always, **arguments})
                return answer
        except Passing:
            if isinstance(body, ReadWhileSent) and body.problem:
                raise body.problem from None
            raise

    def retry(self, operation: str, call: Callable[[], Answer]) -> Answer:
        """Call again while failures pass: a bounded number of times, over minutes."""
        pauses, attempt = self.options.pauses(), 1
        while True:
            try:
                answer = self.attempt(call)
            except Passing as error:
                if (pause := next(pauses, None)) is None:
                    raise self._unavailable(operation, error) from error
                attempt += 1
                self._trouble = (
                    f"S3 does not answer ({error.brief}): attempt {attempt} of {self.options.attempts}"
                )
            else:
                self._trouble = ""
                return answer
            self._pause(pause)

    def attempt(self, call: Callable[[], Answer]) -> Answer:
        """Call once. A call that a stop leaves behind ends by its timeout, as if we had been killed."""
        if threading.get_ident() != self._caller:
            return call()
        self.beat()
        answer: Future[Answer] = Future()
        threading.Thread(target=_fulfil, args=(answer, call), daemon=True).start()
        while wait([answer], BEAT_SECONDS).not_done:
            self.beat()
        return answer.result()

    def beat(self) -> None:
        """Say what is new, and look for a stop: raises UploadProblem then. In the caller's thread."""
        if self._said != (trouble := self._trouble):
            self._said = trouble
            self._say(trouble)
        if self._stop():
            raise stopped()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if threading.get_ident() == self._caller:
                self.beat()
            if self.halt.wait(min(left, BEAT_SECONDS)):
                raise stopped()

    @contextmanager
    def plain_words(self, operation: str) -> Iterator[None]:
        """Turn the client's errors into Passing, Refused and other UploadProblems; ours stay as they are."""
        try:
            yield
        except Exception as error:
            if told := self._told(error, operation):
                raise told from error
            raise

    def _told(self, error: Exception, operation: str) -> Exception | None:
        if isinstance(error, self.client.exceptions.ClientError):
            return self._told_by_s3(error, operation)
        names = {kind.__name__ for kind in type(error).__mro__}
        if names & _EXPIRED_NAMES:
            return self._expired(str(error))
        if names & _NO_CREDENTIALS:
            return self._no_access(operation, str(error))
        return Passing("", str(error)) if names & _PASSING_NAMES else None

    def _told_by_s3(self, error: Any, operation: str) -> Exception:
        said, status = error.response.get("Error", {}), error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = str(said.get("Code") or status)
        message = f"{code} {said.get('Message', '')}".strip()
        # HEAD is answered without words: Amazon's 400 to one is an expired token.
        if code in _EXPIRED or (code == "400" and operation.startswith("head")):
            return self._expired(message)
        if code in _NO_BUCKET or status in (301, 307):
            return no_bucket(self.bucket, message)
        if code in _PASSING or (status >= 500 and status != 501):
            return Passing(code, message, str(status) if code == str(status) else f"{status} {code}")
        if code in _NO_ACCESS or status in (401, 403):
            return self._no_access(operation, message)
        return Refused(code, f'S3 bucket "{self.bucket}" refused {operation} ({message})')

    def _unavailable(self, operation: str, error: Exception) -> UploadProblem:
        tries = f"{self.options.attempts} attempts"
        sentence = f'S3 bucket "{self.bucket}" did not answer {operation} in {tries} ({error})'
        return UploadProblem(
            "unavailable", sentence, "Look whether S3 and the network are up, then press Retry."
        )

    def _expired(self, message: str) -> UploadProblem:
        sentence = f'The credentials for S3 bucket "{self.bucket}" have expired ({message})'
        return UploadProblem("expired_credentials", sentence, "Renew them, then press Retry.")

    def _no_access(self, operation: str, message: str) -> UploadProblem:
        owner = f", or account {self.options.owner} does not own it" if self.options.owner else ""
        sentence = f'S3 bucket "{self.bucket}" does not let us in for {operation}{owner} ({message})'
        remedy = "Check bucket, owner, credentials and their rights, then press Retry."
        return UploadProblem("no_access", sentence, remedy)


def _fulfil(answer: Future[Answer], call: Callable[[], Answer]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001  raised where it is waited for
        answer.set_exception(error)


def no_bucket(bucket: str, message: str) -> UploadProblem:
    sentence = f'There is no S3 bucket "{bucket}" at this endpoint and region ({message})'
    return UploadProblem(
        "no_bucket", sentence, "Check the names of bucket, endpoint and region in the settings."
    )


def stopped() -> UploadProblem:
    return UploadProblem("stopped", "The upload was stopped", "Press Retry to go on where it ended.")
