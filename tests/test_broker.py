"""Where a broker is found: what its URL says, and what is shown of it."""

from __future__ import annotations

import pytest

from pipeline.broker import Address, Node, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", Address((Node("127.0.0.1"),))),
        ("redis://db.internal:7000/3", Address((Node("db.internal", 7000),), db=3)),
        ("redis://ann:p%2Fss@h", Address((Node("h"),), username="ann", password="p/ss")),
        ("rediss://:secret@h:1", Address((Node("h", 1),), password="secret", tls=True)),
        ("redis://[::1]:7000?db=2", Address((Node("::1", 7000),), db=2)),
        ("unix:///run/a%20b.sock?db=4", Address(path="/run/a b.sock", db=4)),
        ("unix://ann:secret@/run/s", Address(path="/run/s", username="ann", password="secret")),
    ],
)
def test_a_url_names_one_server(url: str, address: Address) -> None:
    assert parse(url) == address


def test_several_hosts_are_servers_of_which_one_is_primary() -> None:
    nodes = (Node("a"), Node("b", 7000), Node("::1", 1))
    assert parse("redis://ann:x@a,b:7000,[::1]:1/2") == Address(
        nodes, username="ann", password="x", db=2, way="several"
    )


def test_sentinels_know_the_broker_by_a_name() -> None:
    nodes = (Node("s1", 26379), Node("s2", 7))
    assert parse("rediss+sentinel://ann:x@s1,s2:7/mymaster/3?sentinel_password=y") == Address(
        nodes,
        username="ann",
        password="x",
        db=3,
        tls=True,
        way="sentinel",
        service="mymaster",
        guard=("", "y"),
    )


def test_some_nodes_of_a_cluster_are_enough() -> None:
    assert parse("redis+cluster://n1,n2:7001") == Address((Node("n1"), Node("n2", 7001)), way="cluster")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://localhost", "begins with one of redis://"),
        ("redis://h:0", "h:0 is no host and port"),
        ("redis://h:x", "h:x is no host and port"),
        ("redis://a,b:70000", "b:70000 is no host and port"),
        ("redis://h/one", "the database is a number, not one"),
        ("unix://run/s", "three slashes"),
        ("unix://", "three slashes"),
        ("redis+sentinel://s1:26379", "the name that the Sentinels have for the broker is missing"),
        ("redis+cluster://n1/1", "a cluster has one database only"),
    ],
)
def test_a_url_that_leads_nowhere_says_why(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(url)


@pytest.mark.security("S25")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ann:secret@h:7000", "h:7000"),
        ("unix://:secret@/run/s", "unix:///run/s"),
        ("redis://:secret@a,[::1]:1", "a:6379, [::1]:1"),
        ("redis+sentinel://:secret@s/shop?sentinel_password=secret", "shop of the Sentinels s:26379"),
    ],
)
def test_an_address_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert str(parse(url)) == shown


def test_a_sentinel_is_greeted_with_its_own_login() -> None:
    address = parse("redis+sentinel://ann:x@s/shop?sentinel_username=guard&sentinel_password=y")
    assert address.sentinel(address.nodes[0]).greeting() == [("AUTH", "guard", "y")]
    assert address.at(Node("p")).greeting() == [("AUTH", "ann", "x")]
