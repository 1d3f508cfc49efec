"""What waits is bounded, and what is too much goes in the right order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monkeytown.cluster.backlog import FIXED_COST, Backlog, Waiting


def waiting(name: str, *, may_drop: bool = False, size: int = 0) -> Waiting:
    return Waiting(name.encode(), bytes(size), may_drop)


def names(backlog: Backlog) -> str:
    return "".join(each.channel.decode() for each in backlog.take(10**9))


def test_what_comes_first_goes_first() -> None:
    backlog = Backlog(10**6)
    for name in "abc":
        assert backlog.put(waiting(name)) == 0
    assert len(backlog) == 3
    assert names(backlog) == "abc"
    assert (len(backlog), backlog.bytes) == (0, 0)


def test_the_oldest_that_may_be_dropped_goes_first() -> None:
    backlog = Backlog(4 * FIXED_COST)
    dropped = [backlog.put(waiting(name, may_drop=name.islower())) for name in "AbcDeF"]
    assert dropped == [0, 0, 0, 0, 1, 1]
    assert names(backlog) == "ADeF"


def test_if_none_may_be_dropped_the_oldest_goes() -> None:
    backlog = Backlog(3 * FIXED_COST)
    for name in "ABCDE":
        backlog.put(waiting(name))
    assert names(backlog) == "CDE"


def test_the_new_one_goes_if_it_alone_may_be_dropped() -> None:
    backlog = Backlog(2 * FIXED_COST)
    for name in "ABc":
        backlog.put(waiting(name, may_drop=name.islower()))
    assert names(backlog) == "AB"


def test_one_that_is_larger_than_everything_is_not_kept() -> None:
    backlog = Backlog(1000)
    backlog.put(waiting("A"))
    assert backlog.put(waiting("B", size=2000)) == 2
    assert (len(backlog), backlog.bytes) == (0, 0)


def test_as_many_are_taken_as_fit_and_at_least_one() -> None:
    backlog = Backlog(10**6)
    for name in "abc":
        backlog.put(waiting(name, size=1000))
    assert [each.channel for each in backlog.take(2 * (1000 + FIXED_COST))] == [b"a", b"b"]
    assert [each.channel for each in backlog.take(1)] == [b"c"]
    assert backlog.take(1) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 900), st.booleans())), st.integers(0, 5000))
def test_it_behaves_as_a_list_would(steps: list[tuple[bool, int, bool]], limit: int) -> None:
    backlog = Backlog(limit)
    model: list[Waiting] = []
    for number, (may_drop, size, takes) in enumerate(steps):
        new = waiting(str(number), may_drop=may_drop, size=size)
        dropped = backlog.put(new)
        model.append(new)
        while sum(each.cost for each in model) > limit:
            model.remove(next((each for each in model if each.may_drop), model[0]))
            dropped -= 1
        assert dropped == 0
        assert backlog.bytes == sum(each.cost for each in model)
        if takes:
            taken = backlog.take(1500)
            assert taken == model[: len(taken)]
            del model[: len(taken)]
    assert backlog.take(10**9) == model
