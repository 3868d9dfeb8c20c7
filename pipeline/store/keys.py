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


def seen(queue: str, mark: str) -> str:
    """string: the id that came with a webhook's content first."""
    return f"{queue}:seen:{mark}"


def ids(queue: str) -> str:
    """Sorted set: callers' ids of ended jobs, by the time until which they stay taken."""
    return f"{queue}:ids"


def call(queue: str, producer: str) -> str:
    """string: the last call of a producer and its answer, for a minute."""
    return f"{queue}:call:{producer}"


def meta(queue: str) -> str:
    """hash: generation, policy, limited, rate, lanes; removed; paused and scale, which people set; held, by a handler;
    watched."""
    return f"{queue}:meta"


def minutes(queue: str) -> str:
    """list: what was counted until each minute in which something happened, the newest last; a day. See minute.lua."""
    return f"{queue}:minutes"


def tens(queue: str) -> str:
    """list: as `minutes`, of ten minutes each; two days."""
    return f"{queue}:tens"


def hours(queue: str) -> str:
    """list: as `minutes`, of an hour each; ten days."""
    return f"{queue}:hours"


def quarters(queue: str) -> str:
    """list: as `minutes`, of a quarter of a day each; 93 days."""
    return f"{queue}:quarters"


def charted(queue: str) -> str:
    """hash: the histograms as they were at the last line of `minutes`."""
    return f"{queue}:charted"


def events(queue: str) -> str:
    """stream: what happened to which jobs; only while somebody watches."""
    return f"{queue}:events"


def stats(queue: str) -> str:
    """hash: totals that only rise, and the buckets of the histograms."""
    return f"{queue}:stats"


def names(queue: str) -> str:
    """hash: "outcome:name" -> how many attempts at jobs of that name ended so; without a name, of all others."""
    return f"{queue}:names"


def alerts(queue: str) -> str:
    """hash: what alerts are about -> "told at held": what was told, when, and until when somebody else sends."""
    return f"{queue}:alerts"


def stops(queue: str) -> str:
    """hash: id -> how a job ends that was cancelled while it ran."""
    return f"{queue}:stops"


def starts(queue: str) -> str:
    """Sorted set: lease number by the time of its reservation, within the window of the rate limit."""
    return f"{queue}:starts"


def started(queue: str) -> str:
    """hash: lease number -> how many jobs it started; `all` is their sum."""
    return f"{queue}:started"


def lane_of(queue: str) -> str:
    """hash: id -> lane, of kept jobs that have one."""
    return f"{queue}:lane_of"


def laned(queue: str) -> str:
    """hash: id -> "in level" when its lane has let it in, else its member in its lane; only until it has ended."""
    return f"{queue}:laned"


def lane(queue: str, name: str) -> str:
    """Sorted set: "place level id" of jobs that wait in a lane, the next to be let in first."""
    return f"{queue}:lane:{name}"


def lane_in(queue: str) -> str:
    """hash: lane -> how many of its jobs were let in, and have not left it."""
    return f"{queue}:lane_in"


def lane_listed(queue: str) -> str:
    """hash: lane -> how many of those let in wait to be taken."""
    return f"{queue}:lane_listed"


def lane_sizes(queue: str) -> str:
    """Sorted set: lane by how many wait in it; '' has the sum."""
    return f"{queue}:lane_sizes"


def lane_opens(queue: str) -> str:
    """Sorted set: lane by the time at which it is to be looked at."""
    return f"{queue}:lane_opens"


def lane_held(queue: str) -> str:
    """hash: lane -> since and until when a handler holds it."""
    return f"{queue}:lane_held"


def lane_starts(queue: str, name: str) -> str:
    """Sorted set: "lease id" of a lane's starts by their time, within the window of its rate limit."""
    return f"{queue}:lane_starts:{name}"


def lane_place(queue: str) -> str:
    """string: the counter of places in lanes."""
    return f"{queue}:lane_place"


def schedules(queue: str) -> str:
    """hash: "schedule:field" -> how far a schedule of the queue has come; see store/schedules.py."""
    return f"{queue}:schedules"


def last_id(queue: str) -> str:
    """string: the counter of our ids."""
    return f"{queue}:last_id"


def last_lease(queue: str) -> str:
    """string: the last lease number; they follow the clock."""
    return f"{queue}:last_lease"


def layout(project: str) -> str:
    """string: "number version", the way in which jobs lie here; see layout.py."""
    return f"{{{project}}}:layout"


def looked(project: str) -> str:
    """string: somebody looks at what the workers run."""
    return f"{{{project}}}:looked"


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


def audit(project: str) -> str:
    """list: what people did through the web process, the newest first; the last ones only."""
    return f"{{{project}}}:audit"


def signed_out(project: str) -> str:
    """hash: "user:<name>" -> since when that user's sessions do not count any more, "session:<id>" -> until when to know it."""
    return f"{{{project}}}:signed_out"


def totals(project: str) -> str:
    """hash: "kind:label:..." -> how often, of what belongs to no queue; see store/tally.py."""
    return f"{{{project}}}:totals"


def flows(project: str) -> str:
    """set: the names of all flows that were ever published."""
    return f"{{{project}}}:flows"


def flow(project: str, name: str) -> str:
    """What all keys of the flows of one name begin with: a hash tag as of a queue, whose name has no colon."""
    return base(project, f"flow:{name}")


def flow_meta(flow: str) -> str:
    """hash: generation, and the definition that counts."""
    return f"{flow}:meta"


def flow_stats(flow: str) -> str:
    """hash: totals that only rise."""
    return f"{flow}:stats"


def flow_open(flow: str) -> str:
    """Sorted set: flows that have not ended, by the time of their last move."""
    return f"{flow}:open"


def flow_due(flow: str) -> str:
    """Sorted set: flows with a time limit that have not ended, by the time when it is over."""
    return f"{flow}:due"


def flow_ended(flow: str) -> str:
    """Sorted set: flows that have ended, by the time when they did."""
    return f"{flow}:ended"


def flow_state(flow: str, id: str) -> str:
    """hash: a flow, and each of its steps; see flow_start.lua."""
    return f"{flow}:state:{id}"


def flow_ends(flow: str, id: str) -> str:
    """hash: member (step, or step:index) -> how its job ended; see flow_tell.lua."""
    return f"{flow}:ends:{id}"


def flow_bad(flow: str, id: str) -> str:
    """set: members that failed."""
    return f"{flow}:bad:{id}"
