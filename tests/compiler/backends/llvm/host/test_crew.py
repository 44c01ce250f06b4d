"""Threads that work together: what one of them raises is told to the one that waits."""

from __future__ import annotations

import pytest

from chainc.backends.llvm.host.crew import Crew, Work


def never() -> None:
    raise AssertionError("nothing is abandoned")


def wait_for(crew: Crew, work: Work) -> None:
    with crew:
        crew.begin(work)
        while not crew.finished(1):
            pass


def test_every_thread_does_its_part_again_and_again() -> None:
    found: list[int] = []
    with Crew(3, never) as crew:
        for last in (False, True):
            crew.begin(found.append, last=last)
            while not crew.finished(1):
                pass
    assert sorted(found) == [0, 0, 1, 1, 2, 2]


def test_what_a_thread_raises_is_raised_where_one_waits() -> None:
    abandoned: list[bool] = []

    def work(number: int) -> None:
        if number == 1:
            raise ValueError("the second")

    with pytest.raises(ValueError, match="the second"):
        wait_for(Crew(2, lambda: abandoned.append(True)), work)
    assert abandoned == [True]


def test_what_nobody_waited_for_is_raised_in_the_end() -> None:
    def work(_: int) -> None:
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"), Crew(1, never) as crew:
        crew.begin(work)
