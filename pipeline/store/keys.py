"""Every key in the broker, one function each, with its type. Nothing else in Python spells a key.

All keys of a queue share the hash tag `{project:queue}`, so that they live in one slot of a cluster.
The scripts get the queue's base and append the same names; a test compares the two.
"""


def base(project: str, queue: str) -> str:
    """What all keys of a queue begin with; the one key that scripts are given."""
    return f"{{{project}:{queue}}}"


def jobs(queue: str) -> str:
    """hash: id -> record."""
    return f"{queue}:jobs"


def runs(queue: str) -> str:
    """hash: id -> what earlier attempts left behind; only of jobs that failed or crashed before."""
    return f"{queue}:runs"


def outcomes(queue: str) -> str:
    """hash: id -> how the job ended."""
    return f"{queue}:outcomes"


def notes(queue: str) -> str:
    """hash: id -> progress; only of jobs that reported any, or logged."""
    return f"{queue}:notes"


def logs(queue: str, job: str) -> str:
    """list: a job's log lines, the newest last."""
    return f"{queue}:logs:{job}"


def wait(queue: str, level: int) -> str:
    """list: ids that wait at one priority; the next to run is first."""
    return f"{queue}:wait:{level}"


def levels(queue: str) -> str:
    """Sorted set: the priorities that have waiting jobs, the highest first."""
    return f"{queue}:levels"


def alone(queue: str) -> str:
    """list: ids that wait for a process of their own."""
    return f"{queue}:alone"


def stale(queue: str) -> str:
    """hash: "level:id" -> how many list entries of it are to be skipped."""
    return f"{queue}:stale"


def ahead(queue: str) -> str:
    """hash: "level:id" of jobs at the front of their list, before a stale entry of their own."""
    return f"{queue}:ahead"


def moved(queue: str) -> str:
    """hash: id -> priority, of jobs whose priority was changed; as long as they are kept."""
    return f"{queue}:moved"


def delayed(queue: str) -> str:
    """Sorted set: id by the time it is due."""
    return f"{queue}:delayed"


def levelof(queue: str) -> str:
    """hash: id -> priority, of delayed jobs that are not at 0."""
    return f"{queue}:levelof"


def active(queue: str, worker: str) -> str:
    """hash: id -> lease number, of the jobs that a worker holds."""
    return f"{queue}:active:{worker}"


def workers(queue: str) -> str:
    """Sorted set: worker by the time its lease ends."""
    return f"{queue}:workers"


def turns(queue: str) -> str:
    """hash: worker -> the number of its last turn."""
    return f"{queue}:turns"


def idle(queue: str) -> str:
    """set: the parked workers."""
    return f"{queue}:idle"


def inbox(queue: str, worker: str) -> str:
    """list: jobs handed to a parked worker ("lease id record"), and empty wake-ups."""
    return f"{queue}:inbox:{worker}"


def completed(queue: str) -> str:
    """list: ids, the newest first."""
    return f"{queue}:completed"


def dead(queue: str) -> str:
    """Sorted set: id by the time it died."""
    return f"{queue}:dead"


def cancelled(queue: str) -> str:
    """Sorted set: id by the time it was cancelled."""
    return f"{queue}:cancelled"


def dedup(queue: str, key: str) -> str:
    """string: the id of the job that holds a deduplication key."""
    return f"{queue}:dedup:{key}"


def ids(queue: str) -> str:
    """Sorted set: callers' ids of ended jobs, by the time until which they stay taken."""
    return f"{queue}:ids"


def call(queue: str, producer: str) -> str:
    """string: the last call of a producer and its answer, for a minute."""
    return f"{queue}:call:{producer}"


def meta(queue: str) -> str:
    """hash: generation, policy, limited, rate; removed; paused and scale, which people set; held, by a handler; watched."""
    return f"{queue}:meta"


def minutes(queue: str) -> str:
    """list: the totals at the beginning of each minute in which they had changed, the newest last; a day of them."""
    return f"{queue}:minutes"


def events(queue: str) -> str:
    """stream: what happened to which jobs; only while somebody watches."""
    return f"{queue}:events"


def stats(queue: str) -> str:
    """hash: totals that only rise, and the buckets of the histograms."""
    return f"{queue}:stats"


def stops(queue: str) -> str:
    """hash: id -> how a job ends that was cancelled while it ran."""
    return f"{queue}:stops"


def starts(queue: str) -> str:
    """Sorted set: lease number by the time of its reservation, within the window of the rate limit."""
    return f"{queue}:starts"


def started(queue: str) -> str:
    """hash: lease number -> how many jobs it started; `all` is their sum."""
    return f"{queue}:started"


def last_id(queue: str) -> str:
    """string: the counter of our ids."""
    return f"{queue}:last_id"


def last_lease(queue: str) -> str:
    """string: the last lease number; they follow the clock."""
    return f"{queue}:last_lease"


def supervisors(project: str) -> str:
    """hash: supervisor -> its record."""
    return f"{{{project}}}:supervisors"


def queues(project: str) -> str:
    """set: the names of all queues that were ever published."""
    return f"{{{project}}}:queues"


def generations(project: str) -> str:
    """list: the hash of each config that was applied; its length is the generation."""
    return f"{{{project}}}:generations"


def history(project: str) -> str:
    """hash: generation -> who applied it, when, and its plan; the last ones only."""
    return f"{{{project}}}:history"
