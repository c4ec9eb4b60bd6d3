"""Where the image ranges of a build are worked on: in this process, in several, or on a Dask cluster.

A scheduler takes a function and its items and gives the results as they come, in any order.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from socket import gethostname
from typing import Any, TypeVar

from sarchat2m.errors import SARChatError

__all__ = ["Scheduler", "dask_cluster", "local_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Scheduler = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is gone, killed perhaps, rather than wait for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment: it reaches all, the parent decides what it means."""
    if threading.current_thread() is not threading.main_thread():  # no other one hears of signals, nor may set them
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def local_processes(workers: int) -> Iterator[Scheduler]:
    """Give a scheduler of so many processes on this machine; one worker is this process itself.

    The processes start afresh, since forked ones would inherit the threads of Arrow.

    Raises:
        SARChatError: A worker was killed, for want of memory perhaps.
    """
    if workers == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:

        def run(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
            if len(items) == 1:
                yield function(items[0])
                return
            with _ctrl_c_ignored():
                futures = [pool.submit(function, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as error:
                raise SARChatError(
                    "A worker was killed, perhaps for want of memory; go on with fewer --workers, builds with --resume."
                ) from error
            finally:
                for future in futures:
                    future.cancel()

        yield run


@contextmanager
def dask_cluster(address: str) -> Iterator[Scheduler]:
    """Give a scheduler that runs on an existing Dask cluster, such as "tcp://host:8786".

    Where there is no worker yet, the work waits for one. A worker that is lost costs what it was working on: Dask gives
    that to another one. Results are fetched and let go one by one, since Dask would make those anew that lay on a lost
    worker.

    Raises:
        SARChatError: Dask is not installed, nobody answers at the address, the cluster is gone, or its workers cannot
            do the work.
    """
    try:
        from dask.utils import funcname
        from distributed import Client, KilledWorker
        from distributed import as_completed as dask_as_completed
    except ImportError as error:
        raise SARChatError("--scheduler needs Dask: pip install 'sarchat2m[dask]'.") from error
    _knock(address)

    def run(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        work = partial(_on_equal_terms, function, _versions())
        # In one piece, the items of a large source would be more than Dask takes without a warning.
        futures = client.map(work, items, key=funcname(function), pure=False, batch_size=8)
        try:
            for future, result in dask_as_completed(futures, loop=client.loop, with_results=True):
                future.release()
                if isinstance(result, CancelledError):
                    raise result
                yield result
        except SARChatError:
            raise
        except KilledWorker as error:
            raise SARChatError(
                f"Several workers of {address} were lost over one range; give them more memory, then go on with "
                "--resume."
            ) from error
        except CancelledError as error:
            raise SARChatError(f"The Dask cluster at {address} is gone; start it, then go on with --resume.") from error
        except Exception as error:
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            raise SARChatError(f"A worker of {address} failed ({fault:.200}); mend that, then --resume.") from error
        finally:
            client.cancel(futures)

    with _saying_it_ourselves(), Client(address, timeout="10s", set_as_default=False) as client:
        # A machine without our package would not even read what it is to do, and nobody would hear of it.
        found, wanted = client.get_versions(packages=list(_versions())), _versions()
        for place, machine in {"scheduler": found["scheduler"], **found["workers"]}.items():
            _refuse_difference(f"{place} of {address}", machine["packages"], wanted)
        yield run


@contextmanager
def _saying_it_ourselves() -> Iterator[None]:
    """Keep Dask's client from logging, as tracebacks, the errors that we tell in a sentence."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _knock(address: str) -> None:
    """See that a Dask scheduler answers: a client that fails to connect leaves threads behind that complain at exit."""
    from distributed.comm.core import connect
    from distributed.security import Security

    async def knock() -> None:
        arguments = Security().get_connection_args("client")
        connection = await asyncio.wait_for(connect(address, timeout=5, **arguments), 5)
        await connection.close()

    try:
        # In a thread, since a notebook has a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(knock())).result()
    except Exception as error:  # something else that answers there leads Dask to errors of every kind
        raise SARChatError(f"No Dask scheduler answers at {address}; start one, or mend the address.") from error


def _versions() -> dict[str, str]:
    """Give what all machines of a cluster must have alike, or the bytes would differ."""
    return {name: version(name) for name in ("sarchat2m", "pyarrow")}


def _refuse_difference(place: str, installed: Mapping[str, str | None], wanted: Mapping[str, str]) -> None:
    for name, number in wanted.items():
        if installed[name] != number:
            there = f"{name} {installed[name]}" if installed[name] else f"no {name}"
            raise SARChatError(f"The {place} has {there}, but {number} is needed; install the same there as here.")


def _on_equal_terms(function: Callable[[Item], Result], wanted: dict[str, str], item: Item) -> Result:
    """Do the work, unless this is a worker that joined later and has another version."""
    _refuse_difference(f"worker on {gethostname()}", _versions(), wanted)
    return function(item)
