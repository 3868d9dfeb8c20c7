"""What many ask for at once is made once."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.web.kept import Kept


class Maker:
    """Makes numbers, one after the other, once `gate` is open."""

    def __init__(self) -> None:
        self.made = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 100.0

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        await self.gate.wait()
        if number == 13:
            raise ValueError("no")
        return number


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def kept(maker: Maker) -> Kept:
    return Kept(lambda: maker.now)


async def test_what_was_made_within_a_second_is_given_again(kept: Kept, maker: Maker) -> None:
    assert [await kept.get("a", maker), await kept.get("a", maker)] == [1, 1]
    assert await kept.get("b", maker) == 2
    maker.now += 1.0
    assert await kept.get("a", maker) == 3


async def test_those_who_ask_meanwhile_wait_for_the_same(kept: Kept, maker: Maker) -> None:
    maker.gate.clear()
    asked = [asyncio.create_task(kept.get("a", maker)) for _ in range(5)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    maker.now += 60.0
    asked.append(asyncio.create_task(kept.get("a", maker)))
    await asyncio.sleep(0)
    maker.gate.set()
    assert await asyncio.gather(*asked[1:]) == [1] * 5


async def test_what_failed_is_made_anew(kept: Kept, maker: Maker) -> None:
    maker.made = 12
    with pytest.raises(ValueError, match="no"):
        await kept.get("a", maker)
    assert await kept.get("a", maker) == 14
