"""The line in memory: when what is sent arrives, what stalls it, what is lost with it."""

import pytest

from tests.pair import Clock, Pair


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(clock: Clock) -> Pair:
    return Pair(clock, seed=1)


def test_a_clock_does_what_is_due_in_order(clock: Clock):
    done: list[str] = []
    clock.at(2, lambda: done.append("late"))
    clock.at(1, lambda: done.append("early"))
    clock.at(1, lambda: clock.at(0, lambda: done.append(f"at {clock.now:g}")))
    clock.advance(1.5)
    assert (done, clock.now) == (["early", "at 1"], 1.5)
    clock.run()
    assert (done[-1], clock.now) == ("late", 2)


def test_without_faults_it_arrives_at_once_but_never_within_the_call(clock: Clock, pair: Pair):
    assert pair.a.send(b"hello")
    assert (pair.b.received, pair.a.under_way) == ([], 5)
    clock.advance(0)
    assert (pair.b.received, pair.a.under_way) == ([b"hello"], 0)
    pair.b.send(b"you")
    clock.advance(0)
    assert pair.a.received == [b"you"]


def test_each_direction_has_a_delay_of_its_own(clock: Clock, pair: Pair):
    pair.a_to_b.delay, pair.b_to_a.delay = 0.1, 0.3
    pair.a.send(b"there")
    pair.b.send(b"back")
    clock.advance(0.099)
    assert pair.b.received == []
    clock.advance(0.2)
    assert (pair.b.received, pair.a.received) == ([b"there"], [])
    clock.advance(0.002)
    assert pair.a.received == [b"back"]


def arrivals(seed: int) -> list[tuple[float, bytes]]:
    clock = Clock()
    pair = Pair(clock, seed=seed)
    pair.a_to_b.delay, pair.a_to_b.jitter = 0.01, 0.1
    found: list[tuple[float, bytes]] = []
    pair.b.on_data = lambda data: found.append((clock.now, data))
    for number in range(50):
        pair.a.send(bytes((number,)))
        clock.advance(0.01)
    clock.run()
    return found


def test_jitter_keeps_the_order_and_a_seed_repeats_it():
    found = arrivals(1)
    assert [data[0] for _, data in found] == list(range(50))
    late = [when - 0.01 * data[0] for when, data in found]
    assert min(late) >= 0.01 - 1e-9
    assert 0.05 < max(late) <= 0.11 + 1e-9
    assert (arrivals(1) == found, arrivals(2) == found) == (True, False)


def test_a_rate_makes_pieces_wait_for_each_other(clock: Clock, pair: Pair):
    pair.a_to_b.rate = 1000
    when: list[float] = []
    pair.b.on_data = lambda data: when.append(clock.now)
    for _ in range(3):
        pair.a.send(bytes(100))
    clock.run()
    assert when == pytest.approx([0.1, 0.2, 0.3])
    pair.a_to_b.rate = 0
    pair.a.send(bytes(100))
    clock.advance(0)
    assert len(when) == 4


def test_nothing_arrives_while_it_is_stalled_and_all_of_it_after(clock: Clock, pair: Pair):
    pair.a_to_b.stalled = True
    pair.a.send(b"1")
    pair.a.send(b"2")
    pair.b.send(b"other way")
    clock.advance(5)
    assert (pair.b.received, pair.a.under_way, pair.a.received) == ([], 2, [b"other way"])
    pair.a_to_b.stalled = False
    clock.advance(0)
    assert pair.b.received == [b"1", b"2"]


def test_an_end_that_closes_may_still_be_sent_to(clock: Clock, pair: Pair):
    pair.a_to_b.delay = 0.1
    heard: list[str] = []
    pair.b.on_end = heard.append
    pair.a.send(b"last")
    pair.a.close()
    assert not pair.a.send(b"too late")
    clock.advance(0.05)
    assert pair.b.ended == ""
    clock.run()
    assert (pair.b.received, pair.b.ended, heard) == ([b"last"], "end", ["end"])
    assert pair.b.send(b"answer")
    clock.run()
    assert pair.a.received == [b"answer"]


def test_a_cut_loses_what_is_under_way_and_tells_both(clock: Clock, pair: Pair):
    pair.a_to_b.delay = 1
    pair.a.send(b"lost")
    pair.cut()
    pair.cut()
    clock.run()
    assert (pair.b.received, pair.a.ended, pair.b.ended) == ([], "reset", "reset")
    assert not pair.a.send(b"x")
    assert not pair.b.send(b"x")
