"""Where the image ranges of a build are worked on: in this process, in several, or on a Dask cluster.

A scheduler takes a function and its items and gives the results as they come, in any order.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from sarchat2m.errors import SARChatError

__all__ = ["Scheduler", "dask_cluster", "local_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Scheduler = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is gone, killed perhaps, rather than wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as error:
                raise SARChatError(
                    "A worker was killed, perhaps for want of memory; go on with --resume and fewer --workers."
                ) from error
            finally:
                for future in futures:
                    future.cancel()

        yield run


@contextmanager
def dask_cluster(address: str) -> Iterator[Scheduler]:
    """Give a scheduler that runs on an existing Dask cluster, such as "tcp://host:8786".

    A worker that is lost costs what it was working on: Dask gives that to another one. Results are fetched and let go
    one by one, since Dask would make those anew that lay on a lost worker.

    Raises:
        SARChatError: Dask is not installed, nobody answers at the address, or the cluster is gone.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed import as_completed as dask_as_completed
    except ImportError as error:
        raise SARChatError("--scheduler needs Dask: pip install 'sarchat2m[dask]'.") from error
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise SARChatError(f"No Dask scheduler answers at {address}; start one, or mend the address.") from error

    def run(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        futures = client.map(function, items, pure=False)
        try:
            for future, result in dask_as_completed(futures, with_results=True):
                future.release()
                yield result
        except KilledWorker as error:
            raise SARChatError(
                f"Several workers of {address} were lost over one range; give them more memory, then --resume."
            ) from error
        finally:
            client.cancel(futures)

    with client:
        yield run
