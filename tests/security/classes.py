"""The classes of attacks, what holds for each, and how many hostile inputs are tried at least."""

from __future__ import annotations

from typing import NamedTuple


class Class(NamedTuple):
    """`least` inputs, or the count fails."""

    rule: str
    least: int


CLASSES = {
    "S1": Class("payloads and results are JSON; nothing that runs code when read", 40),
    "S2": Class("handlers come from the file; a job carries a name", 200),
    "S3": Class("YAML without tags; a key once; text stays text", 120),
    "S4": Class("YAML is bounded in size, depth and expansion", 25),
    "S5": Class("references are read once, at load; never in job data", 80),
    "S6": Class("commands are lists of arguments, without a shell", 60),
    "S7": Class("every route needs a sign-in", 60),
    "S8": Class("no way to write a path gets past the sign-in", 30),
    "S9": Class("text of jobs is JSON to browsers, under a strict policy", 60),
    "S10": Class("changes need JSON and a proof that they come from the page", 14),
    "S11": Class("names that are not this host's are refused", 40),
    "S12": Class("numbers of a request are cut or refused", 40),
    "S13": Class("one event is one line of the log", 100),
    "S14": Class("text of jobs cannot steer a terminal", 120),
    "S15": Class("alerts go to looked-at addresses; no redirects", 70),
    "S16": Class("patterns on foreign text take linear time", 50),
    "S17": Class("a request can be read in one way, or is refused", 60),
    "S18": Class("slow and large requests keep nobody waiting", 500),
    "S19": Class("a signature is checked before a body is read", 40),
    "S20": Class("what only looks signed is refused", 400),
    "S21": Class("secrets are compared in constant time", 1),
    "S22": Class("an event that is sent again is one job", 10_000),
    "S23": Class("our user at the broker has the least rights", 30),
    "S24": Class("TLS is verified, with the host's name", 8),
    "S25": Class("a secret is nowhere but where it is used", 20),
    "S26": Class("no path leads out of the package or the project", 80),
    "S27": Class("state folder and sockets are ours alone", 15),
    "S28": Class("an answer cannot get another header", 20),
    "S29": Class("names of queues and ids cannot reach other keys", 40),
    "S30": Class("JSON is strict: no NaN, no endless depth, keys once", 60),
    "S31": Class("a config that everybody can write is warned of", 12),
    "S33": Class("no bytes end a listener", 1_000),
    "S35": Class("dependencies are few, named, and locked by hash", 15),
}
