"""Between asyncio and the Rust side: functions of agents are called on the loop that the run is awaited on."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import functools
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ._native import Stopper, is_over

#: Threads for plain functions. Each waits for its model, so there are more of them than cores: one for each agent that works.
_THREADS = ThreadPoolExecutor(max_workers=1_000, thread_name_prefix="agent_team")

# Threads of the Rust side keep off an interpreter that ends.
atexit.register(is_over)


class GiveUp(Exception):
    """Raised by an agent: no attempt at the task can succeed."""


class Unable(Exception):
    """Raised by an agent: it cannot work at all, on this task or any other. The task is given back, and it takes nothing more."""


class _Call(Protocol):
    def begun(self, task: asyncio.Task[str]) -> None: ...
    def ended(self, kind: str, text: str) -> None: ...


def begin(function: Callable[..., Awaitable[str]], arguments: tuple[Any, ...], call: _Call) -> None:
    """Begins a call on the running loop. The Rust side hears how it ends, and cancels it if nobody waits for it any more."""

    async def run() -> str:
        return await function(*arguments)

    task = asyncio.get_running_loop().create_task(run())
    call.begun(task)
    task.add_done_callback(functools.partial(_end, call))


def _end(call: _Call, task: asyncio.Task[str]) -> None:
    if task.cancelled():
        call.ended("stopped", "")
        return
    error = task.exception()
    if error is None:
        call.ended("text", task.result())
    elif isinstance(error, GiveUp):
        call.ended("give_up", str(error))
    elif isinstance(error, Unable):
        call.ended("unable", str(error))
    else:
        call.ended("failed", f"{type(error).__name__}: {error}")


async def text_of(function: Callable[[str], Any], prompt: str) -> str:
    """What a plain or an async function gives; plain ones run in threads."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):
        answer = await function(prompt)
    else:
        context = contextvars.copy_context()
        answer = await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: context.run(function, prompt))
        if inspect.isawaitable(answer):
            answer = await answer
    return text(answer, getattr(function, "__name__", type(function).__name__))


def text(answer: object, whose: str) -> str:
    """The answer, which has to be a text."""
    if not isinstance(answer, str):
        raise TypeError(f"{whose} gave {type(answer).__name__}, and the result of a task is a str")
    return answer


async def until_done(start: Callable[[tuple[Any, Callable[..., None]], Callable[[Any], None]], Stopper]) -> Any:
    """Waits for something that the Rust side does. Who cancels the wait ends that at once, and waits until it has ended."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(came: Any) -> None:
        if done.done():
            return
        if isinstance(came, BaseException):
            done.set_exception(came)
        else:
            done.set_result(came)

    stopper = start((loop, begin), settle)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        stopper.at_once()
        await asyncio.wait([done])
        # What it ended with is of no interest: whoever cancelled does not wait for it.
        done.exception()
        raise
