"""Handlers are found by their path, and say what they are and which payload they take."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest

from pipeline.errors import CANNOT_START, StartError
from pipeline.handler import load, resolve

SHOP = """
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict, TypeVar

import pydantic
from msgspec import Struct

from pipeline import Job

T = TypeVar("T")
class Money(TypedDict):
    amount: int
@dataclass
class Address:
    street: str
class Stock(Struct):
    sku: str
    count: int
class Order(pydantic.BaseModel):
    id: int

async def send(job): ...
def sync(job): ...
def typed_dict(job: Job[Money]): ...
def dataclassed(job: Job["Address"]): ...
async def struct(job: Job[Stock]) -> None: ...
def model(job: Job[Order]): ...
def bare(job: Job): ...
def anything(job: Job[Any]): ...
def generic(job: Job[T]): ...
def unknown(job: "Job[Nowhere]"): ...
def with_default(job, retries=3): ...
def no_argument(): ...
def two(job, other): ...
class Callable:
    async def __call__(self, job: Job[Stock]): ...
class Plain:
    def __call__(self, job): ...
an_object, a_plain_object, a_partial = Callable(), Plain(), partial(struct)
number = 5
"""


@pytest.fixture(scope="module", autouse=True)
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Modules that can be imported: `hands` is fine, the others are not."""
    root = tmp_path_factory.mktemp("project")
    (root / "hands.py").write_text(textwrap.dedent(SHOP))
    (root / "needs.py").write_text("import not_installed_anywhere")
    (root / "breaks.py").write_text("1 / 0")
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))
    for name in ("hands", "needs", "breaks"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "is_async"),
    [
        ("send", True),
        ("sync", False),
        ("with_default", False),
        ("an_object", True),
        ("a_plain_object", False),
        ("a_partial", True),
        ("unknown", False),
    ],
)
def test_a_handler_is_async_or_not(name: str, is_async: bool) -> None:
    handler = load(f"hands:{name}")
    assert (handler.path, handler.is_async) == (f"hands:{name}", is_async)


@pytest.mark.security("S2")
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("hands:nothing", "hands:nothing: module 'hands' has no 'nothing'"),
        ("nowhere:send", "nowhere:send: no module named 'nowhere'"),
        ("hands.deep:send", "no module named 'hands.deep'"),
        ("hands:number", "hands:number is not callable"),
        ("hands:no_argument", "hands:no_argument must take one argument, the job"),
        ("hands:two", "hands:two must take one argument, the job"),
        ("hands", "module 'hands' has no ''"),
    ],
)
def test_what_is_no_handler_cannot_start_and_says_why(path: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        load(path)
    assert reason in caught.value.message
    assert caught.value.exit_code == CANNOT_START == 78


def test_what_a_users_module_raises_is_left_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load("needs:send")
    with pytest.raises(ZeroDivisionError):
        resolve("breaks:send")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("typed_dict", {"amount": 5}, {"amount": "5"}),
        ("dataclassed", {"street": "Main"}, {}),
        ("struct", {"sku": "a", "count": 1}, {"sku": "a", "count": "1"}),
        ("an_object", {"sku": "a", "count": 1}, {"sku": "a"}),
        ("model", {"id": 5}, {"id": "five"}),
    ],
)
def test_a_payload_becomes_the_type_that_the_handler_asks_for(name: str, good: Any, bad: Any) -> None:
    convert = load(f"hands:{name}").convert
    assert convert is not None
    value = convert(good)
    assert all(getattr(value, field, None) == good[field] or value[field] == good[field] for field in good)
    with pytest.raises((msgspec.ValidationError, pydantic.ValidationError)):
        convert(bad)


@pytest.mark.parametrize("name", ["send", "bare", "anything", "generic", "unknown"])
def test_a_handler_that_asks_for_no_type_gets_the_plain_payload(name: str) -> None:
    assert load(f"hands:{name}").convert is None
