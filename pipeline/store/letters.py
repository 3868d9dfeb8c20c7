"""The copy of a dead job for its dead-letter queue. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from pipeline.job import Job, KeptError, Letter, LetterError, Options, encode_record
from pipeline.store.store import Copy

_read = msgspec.json.Decoder(Job[msgspec.Raw]).decode


class Death(Struct, frozen=True):
    """How the job `id` dies, which was redriven so many times before."""

    id: str
    redriven: int
    error: KeptError


def copy_of(queue: str, record: bytes, death: Death) -> Copy:
    """The copy of a job of `queue`: its name, payload and priority, and what it died of."""
    error = LetterError(death.error.type, death.error.message)
    letter = Letter(queue, death.id, death.error.attempt, error)
    try:
        job = _read(record)
        name, data, priority = job.name, job.data, job.options.priority
    except msgspec.MsgspecError:
        # It died of that: a person may still read what the record was meant to be.
        text = msgspec.json.encode(record.decode(errors="backslashreplace"))
        name, data, priority = "unreadable", msgspec.Raw(text), 0
    written = encode_record(death.error.at, name, data, Options(priority, dead_letter=letter))
    return Copy(copy_id(queue, death.id, death.redriven), priority, written)


def copy_id(queue: str, id: str, redriven: int) -> str:
    """The id of a job's copy: the same for each try to make it, and another one for its next death after a redrive."""
    # No queue's name holds an @ or a colon, so two different deaths never meet in one id.
    return f"{queue}@{redriven + 1}:{id}" if redriven else f"{queue}:{id}"
