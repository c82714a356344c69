"""Teams: the worker processes of one implementation, started once, that share the replicas of a point."""

import importlib
import importlib.util
import multiprocessing
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

from benchmarks.contestants import MODULES, Prepared
from benchmarks.points import Contestant, Point

SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang


class Prepare(NamedTuple):
    """The order to prepare a contestant and to call it twice; answered by the seconds of the second call."""

    contestant: Contestant
    point: Point


class Measure(NamedTuple):
    """The order to call a prepared contestant so many times; answered by when that began and ended."""

    contestant: Contestant
    calls: int


class Team:
    """The processes of an implementation: `members` of them with `threads` threads each."""

    def __init__(self, implementation: str, *, members: int, threads: int) -> None:
        self.implementation = implementation
        self._barrier = SPAWN.Barrier(members)  # held, for it ends with its last holder in this process
        self._pipes = []
        self._processes = []
        for member in range(members):
            ours, theirs = SPAWN.Pipe()
            arguments = (theirs, self._barrier, MODULES[implementation], member, members, threads)
            process = SPAWN.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def prepare(self, contestant: Contestant, point: Point) -> float:
        """Prepare a contestant, compilation included, and return about how many seconds a call takes."""
        return float(max(self._ask(Prepare(contestant, point))))

    def measure(self, contestant: Contestant, *, calls: int) -> float:
        """Return the seconds per call, from the first member's start to the last member's end."""
        times = self._ask(Measure(contestant, calls))
        return float(max(end for _, end in times) - min(begin for begin, _ in times)) / calls

    def close(self) -> None:
        """Send the processes home."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def _ask(self, order: Prepare | Measure) -> list[Any]:
        try:
            for pipe in self._pipes:
                pipe.send(order)
            answers = [pipe.recv() for pipe in self._pipes]
        except (EOFError, OSError):
            raise RuntimeError(f"a process of {self.implementation} died while it had to {order}") from None
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(f"{self.implementation} failed at {order}: {answer}")
        return answers


def assemble(*, threads: int) -> dict[str, Team]:
    """Start a team for every implementation that is installed, each with the same threads in all."""
    names = [name for name in MODULES if name != "jax" or importlib.util.find_spec("jax")]
    return {
        name: Team(name, members=threads, threads=1)
        if name == "torch_processes"
        else Team(name, members=1, threads=threads)
        for name in names
    }


def _serve(pipe: Connection, barrier: Barrier, module_name: str, member: int, members: int, threads: int) -> None:
    """Obey orders until the pipe is closed; an error is answered by its text."""
    module = importlib.import_module(f"benchmarks.contestants.{module_name}")
    module.limit(threads)
    prepared: dict[Contestant, Prepared | None] = {}
    prepared_point: Point | None = None
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        try:
            if isinstance(order, Prepare):
                if order.point != prepared_point:
                    prepared.clear()
                    prepared_point = order.point
                share = range(order.point.replicas)[member::members]
                prepared[order.contestant] = (
                    module.prepare(order.contestant, order.point, replicas=share) if share else None
                )
                _timed(prepared[order.contestant], calls=1)
                begin, end = _timed(prepared[order.contestant], calls=1)
                pipe.send(end - begin)
            else:
                _timed(
                    prepared[order.contestant], calls=1
                )  # memory and caches are its own again after the others' turns
                barrier.wait()
                pipe.send(_timed(prepared[order.contestant], calls=order.calls))
        except Exception as error:
            barrier.abort()
            pipe.send(f"{type(error).__name__}: {error}")


def _timed(network: Prepared | None, *, calls: int) -> tuple[float, float]:
    """Return when the calls began and when they ended, on a clock that all processes share."""
    begin = time.perf_counter()
    if network is not None:
        for _ in range(calls):
            network.run()
    return begin, time.perf_counter()
