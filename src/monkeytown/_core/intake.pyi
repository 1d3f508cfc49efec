"""One epoll set for the sockets of all players."""

from typing_extensions import disjoint_base

from monkeytown._core.frames import FrameReader, ReadBuffer

AVAILABLE: bool
"""Whether this system has epoll."""

@disjoint_base
class Intake:
    """Reads the sockets that are in it, for readers that share one buffer."""

    def __init__(self, shared: ReadBuffer) -> None: ...
    def __len__(self) -> int: ...
    def fileno(self) -> int:
        """Readable when some socket in the set is."""

    def add(self, reader: FrameReader, fd: int) -> int:
        """From now on the socket is read here, and nowhere else. Returns its slot."""

    def remove(self, slot: int) -> None:
        """The socket is read no more; nothing happens if it was removed already."""

    def run(self, most: int = 256) -> int:
        """Reads every socket that is ready, or `most` of them, once, and gives its reader what came; fewer if many end.

        Returns how many were ready. Those that were not looked at come first the next time.
        """
