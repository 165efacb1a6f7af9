"""Asks the broker how many tasks wait, and the workers through it whether they are there.

Nothing here waits longer than a few seconds for an answer; pages ask from a thread all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import kombu
from celery import current_app
from kombu.pidbox import Mailbox

TIMEOUT_SECONDS = 2
ANSWER_SECONDS = 1.0
"""Workers that are there answer within some milliseconds, and it takes so long to know that they are all."""

_BOUNDS = {
    "redis": {
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry_on_timeout": False,
    },
    "amqp": {"read_timeout": TIMEOUT_SECONDS, "write_timeout": TIMEOUT_SECONDS},
}
NOT_FOUND = "404"


def address() -> str:
    """The broker's address for people, without the password."""
    return str(current_app.connection_for_read().as_uri())


def without_password(text: str) -> str:
    """What the broker's library complained of, fit for a page."""
    password = current_app.connection_for_read().password
    return text.replace(password, "**") if password else text


def queue_lengths(queues: Iterable[str]) -> dict[str, int]:
    """How many tasks wait in each queue; raises what the broker's library raises."""
    with _connection() as connection:
        return {queue: _length(connection, queue) for queue in queues}


def answering_workers() -> dict[str, list[str]]:
    """The queues of each worker that answers, by its name."""
    with _connection() as connection:
        conf = current_app.conf
        mailbox = Mailbox(conf.control_exchange, type="fanout", connection=connection)
        answers = mailbox.multi_call("active_queues", timeout=ANSWER_SECONDS)
    return {
        name: [queue["name"] for queue in queues]
        for answer in answers or ()
        for name, queues in answer.items()
        if isinstance(queues, list)
    }


@contextmanager
def _connection() -> Iterator[kombu.Connection]:
    """A connection of its own, which is tried once and gives up soon."""
    asked = current_app.connection_for_read()
    bounds = _BOUNDS.get(asked.transport.driver_type, {})
    with current_app.connection_for_read(
        connect_timeout=TIMEOUT_SECONDS, heartbeat=0, transport_options=bounds
    ) as connection:
        connection.connect()
        yield connection


def _length(connection: kombu.Connection, queue: str) -> int:
    """A queue that is not there holds nothing: Redis knows no empty one."""
    channel: Any = connection.channel()
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors as error:
        if str(getattr(error, "reply_code", "")) != NOT_FOUND:
            raise
        return 0
    finally:
        channel.close()
