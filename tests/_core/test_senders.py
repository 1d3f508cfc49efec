"""The threads that share the sends: that they do, that they go, and that they race with nobody."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import sysconfig
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monkeytown._core.fanout import Group
from monkeytown._core.senders import MAX_THREADS, Senders
from tests._core.link import Player, tick

HEADERS = Path(__file__).parents[2] / "ext" / "monkeytown" / "_core"
RACE = Path(__file__).with_name("race.c")


def threads_of_this_process() -> int:
    return len(os.listdir("/proc/self/task"))


def test_the_sends_of_a_large_room_are_shared(make: Any) -> None:
    group, players = make.group(), [make() for _ in range(40)]
    for player in players:
        group.add(player)
    for number in range(1, 101):
        assert tick(group, number) == 40
    for player in players:
        assert player.read() == [b"state %d" % number for number in range(1, 101)]
    assert group.shared == 4000
    assert make.senders.barriers == (100 if make.threads else 0)
    assert make.senders.threads == make.threads


def test_small_rooms_are_left_to_the_caller() -> None:
    with closing(Senders(1)) as senders, closing(Player()) as player:
        group = Group(senders=senders)
        group.add(player)
        assert tick(group, 1) == 1
        assert senders.barriers == 0


def test_rooms_of_one_loop_share_the_threads(make: Any) -> None:
    groups = [make.group(), make.group()]
    players = [[make() for _ in range(10)] for _ in groups]
    for group, those in zip(groups, players, strict=True):
        for player in those:
            group.add(player)
    for number, group in enumerate(groups):
        assert tick(group, 1, b"x" * (10 + 50_000 * number)) == 10
    assert [group.bytes_sent for group in groups] == [10 * 12, 10 * 50_014]


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_closing_joins_the_threads_and_leaves_the_caller() -> None:
    before = threads_of_this_process()
    senders = Senders(3, alone=1)
    assert (senders.threads, threads_of_this_process()) == (3, before + 3)
    senders.close()
    assert (senders.threads, threads_of_this_process()) == (0, before)
    senders.close()
    with closing(Player()) as player:
        group = Group(senders=senders)
        group.add(player)
        assert tick(group, 1) == 1
        assert player.read() == [b"state 1"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_threads_go_with_the_last_who_knows_them() -> None:
    before = threads_of_this_process()
    group = Group(senders=Senders(2))
    assert threads_of_this_process() == before + 2
    del group
    gc.collect()
    assert threads_of_this_process() == before


@pytest.mark.parametrize("threads", [-1, MAX_THREADS + 1])
def test_numbers_of_threads_are_within_reason(threads: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 64"):
        Senders(threads)


def test_python_does_not_know_them() -> None:
    before = threading.active_count()
    with closing(Senders(2)):
        assert threading.active_count() == before


SCRIPT = """
import os
from contextlib import closing
from monkeytown._core.senders import Senders
from tests._core.link import Player, tick
from monkeytown._core.fanout import Group
senders = Senders(2, alone=1)
group, players = Group(senders=senders), [Player() for _ in range(8)]
for player in players:
    group.add(player)
tick(group, 1)
child = os.fork()
if not child:
    assert senders.threads == 0
    assert tick(group, 2) == 8
    senders.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert senders.threads == 2
assert [player.read() for player in players] == [[b"state 1", b"state 2"]] * 8
senders.close()
"""


def test_a_child_of_fork_sends_alone() -> None:
    """In a process of its own: forking one with threads that Python knows would be another matter."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(root)])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_threads_race_with_nobody(tmp_path: Path) -> None:
    """The pool alone, under ThreadSanitizer: work is done once, and seen by the caller, and threads come and go."""
    program = tmp_path / "race"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = [compiler, "-std=gnu11", "-O1", "-g", "-pthread", f"-I{HEADERS}", "-o", program, RACE]
    subprocess.run(command, check=True, timeout=120)
    if subprocess.run([*command, "-fsanitize=thread"], check=False, timeout=120).returncode:
        pytest.skip("this compiler has no ThreadSanitizer")
    done = subprocess.run(
        [program],
        env={"TSAN_OPTIONS": "halt_on_error=1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer does not run on this kernel")
    assert (done.returncode, done.stderr) == (0, "")
