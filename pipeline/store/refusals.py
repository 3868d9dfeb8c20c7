"""What the broker's error replies mean: away for a while, full, not for us, or refused for good."""

from __future__ import annotations

from pipeline.errors import BrokerDenied, BrokerFull, BrokerRefused, BrokerUnavailable

AWAY = {
    "LOADING": ("the broker is loading its data", "it answers when that is done"),
    "BUSY": ("a script keeps the broker busy", "find it with CLIENT LIST; it is none of ours"),
    "READONLY": ("the broker is a replica now and takes no writes", "broker.url should lead to the primary"),
    "MASTERDOWN": ("the broker is a replica that lost its primary", "broker.url should lead to the primary"),
    "UNBLOCKED": ("the broker has become a replica", "broker.url should lead to the primary"),
    "NOREPLICAS": (
        "the broker takes no writes: too few of its replicas are there",
        "start them again, or lower min-replicas-to-write",
    ),
    "CLUSTERDOWN": ("the cluster does not serve this key", "see CLUSTER INFO"),
    "TRYAGAIN": ("the cluster is moving this queue to another node", "it goes on when that is done"),
    "MOVED": (
        "another node of the cluster has this queue",
        "a cluster's broker.url begins with redis+cluster://",
    ),
    "ASK": ("the cluster is moving this queue to another node", "it goes on when that is done"),
}
"""What passes by itself, or when the way to the broker is looked up anew: the call may be repeated then."""

FULL = {
    "OOM": (
        "the broker's memory is full: nothing was stored",
        "raise its maxmemory; waiting jobs are worked off",
    ),
    "MISCONF": ("the broker cannot write its file: nothing was stored", "is its disk full? see its log"),
}

DENIED = {
    "NOAUTH": ("the broker asks for a password", "put it into broker.url: redis://user:password@host"),
    "WRONGPASS": ("the broker does not take this user and password", "see broker.url"),
    "NOPERM": (
        "this user of the broker may not do what is needed",
        "see ACL SETUSER; doctor names what is missing",
    ),
}


def refusal(error: Exception) -> BrokerRefused | BrokerUnavailable:
    """The server's error reply as ours."""
    text = str(error)
    code = text.split(" ", 1)[0]
    if code in AWAY:
        return BrokerUnavailable(*AWAY[code])
    if code in FULL:
        return BrokerFull(*FULL[code])
    if code in DENIED:
        message, help = DENIED[code]
        return BrokerDenied(f"{message} ({text})", help)
    return BrokerRefused(f"the broker refused: {text}")
