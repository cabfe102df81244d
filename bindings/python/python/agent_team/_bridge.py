"""Between asyncio and the Rust side: functions of agents are called on the loop that the run is awaited on."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol

from ._native import Line, Stopper


class _Threads:
    """Threads for plain functions, one for each that is called at the same time. A function that never returns does not keep
    the process from ending, as those of an executor would."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def do(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                threading.Thread(target=self._work, name="agent_team", daemon=True).start()
        self._calls.put(call)

    def _work(self) -> None:
        while True:
            self._calls.get()()
            with self._lock:
                self._idle += 1


_threads = _Threads()


def _forked() -> None:
    global _threads
    _threads = _Threads()


# A fork has no threads but the one that forked.
os.register_at_fork(after_in_child=_forked)


class GiveUp(Exception):
    """Raised by an agent: no attempt at the task can succeed."""


class Unable(Exception):
    """Raised by an agent: it cannot work at all, on this task or any other. The task is given back, and it takes nothing more."""


class _Call(Protocol):
    def ended(self, kind: str, text: str) -> None: ...


def _begin(method: Callable[[Any, str], Awaitable[str]], told: Any, prompt: str, call: _Call) -> asyncio.Task[None]:
    """Begins a call on the running loop. The Rust side hears how it ends, and cancels it if nobody waits for it any more."""
    task = asyncio.get_running_loop().create_task(_run(method, told, prompt, call))
    task.add_done_callback(functools.partial(_over, call))
    return task


def _over(call: _Call, task: asyncio.Task[None]) -> None:
    # One that is cancelled before it begins does not say so itself.
    call.ended("cancelled", "")
    if not task.cancelled():
        # What ends the program was raised by the loop as well: nobody else has to look at it.
        task.exception()


async def _run(method: Callable[[Any, str], Awaitable[str]], told: Any, prompt: str, call: _Call) -> None:
    """Makes a call. Whatever it raises is said: a call without an answer would be made again, without end."""
    try:
        text = await method(told, prompt)
    except GiveUp as error:
        call.ended("give_up", _words(error))
    except Unable as error:
        call.ended("unable", _words(error))
    except asyncio.CancelledError:
        # Said a little later: where the whole loop is ended, the run hears of that first.
        asyncio.get_running_loop().call_soon(call.ended, "cancelled", "")
    except BaseException as error:
        call.ended("failed", f"{type(error).__name__}: {_words(error)}")
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
    else:
        try:
            call.ended("text", text)
        except UnicodeEncodeError as error:
            call.ended("failed", f"the result is no text that can be written: {error}")


def _words(error: BaseException) -> str:
    """What an exception says, as far as it can be said."""
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "(its text cannot be had)"


async def text_of(function: Callable[[str], Any], prompt: str) -> str:
    """What a plain or an async function gives; plain ones run in threads."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):
        answer = await function(prompt)
    else:
        context = contextvars.copy_context()
        answer = await _in_thread(lambda: context.run(function, prompt))
        if inspect.isawaitable(answer):
            answer = await answer
    return text(answer, getattr(function, "__name__", type(function).__name__))


async def _in_thread(function: Callable[[], Any]) -> Any:
    """What a plain function gives. Who cancels the wait does not wait for it: nothing can end a thread."""
    loop = asyncio.get_running_loop()
    given: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if given.done():
            return
        if error is None:
            given.set_result(answer)
        else:
            given.set_exception(error)

    def call() -> None:
        answer: Any = None
        error: BaseException | None = None
        try:
            answer = function()
        except StopIteration as stopped:
            # A future cannot hold it.
            error = RuntimeError(f"the function raised {stopped!r}")
        except BaseException as raised:
            error = raised
        # Nobody waits on a loop that is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, answer, error)

    _threads.do(call)
    return await given


def text(answer: object, whose: str) -> str:
    """The answer, which has to be a text."""
    if not isinstance(answer, str):
        raise TypeError(f"{whose} gave {type(answer).__name__}, and the result of a task is a str")
    return answer


#: Begins something that the Rust side does: it is told by which line it reaches the loop, and whom to tell what came of it.
Start = Callable[[Line, Callable[[Any], None]], Stopper]


async def until_done(start: Start, undo: Callable[[Any], object] | None = None) -> Any:
    """Waits for something that the Rust side does. Who cancels the wait ends that at once, and waits until it has ended; what
    it gave all the same is undone."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(came: Any) -> None:
        if done.done():
            return
        if isinstance(came, BaseException):
            done.set_exception(came)
        else:
            done.set_result(came)

    line = Line(_begin)
    stopper = start(line, settle)
    loop.add_reader(line.fileno(), line.drain)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        line.is_ending()
        stopper.at_once()
        await asyncio.wait([done])
        # What it ended with is of no interest otherwise: whoever cancelled does not wait for it.
        if done.exception() is None and undo is not None and done.result() is not None:
            undo(done.result())
        raise
    finally:
        # A loop that is closed listens to nothing.
        with suppress(RuntimeError):
            loop.remove_reader(line.fileno())
        line.close()
