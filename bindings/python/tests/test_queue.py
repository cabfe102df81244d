"""Claims across processes, messages, and what forks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent_team import AgentMessage, MessageBus, Refused, TaskQueue
from conftest import Command

WORK = """
import sys
from agent_team import TaskQueue
queue = TaskQueue(sys.argv[1], durability="process")
while (task := queue.claim_task(sys.argv[2])) is not None:
    queue.complete_task(task.id, "by " + sys.argv[2])
    print(task.id, flush=True)
"""

HOLD = """
import sys
from agent_team import TaskQueue
print(TaskQueue(sys.argv[1]).claim_task("worker-1").id, flush=True)
sys.stdin.read()
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def test_sixteen_processes_do_each_task_once(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path, durability="process")
    added = {queue.add_task(f"Count {number}").id for number in range(400)}
    workers = [started(WORK, str(tmp_path), f"worker-{number}") for number in range(16)]
    done = [line for worker in workers for line in worker.communicate(timeout=120)[0].split()]
    assert sorted(done) == sorted(added)
    assert queue.get_status()["completed"] == 400


def test_what_a_killed_process_held_is_free_again(tmp_path: Path, command: Command) -> None:
    queue = TaskQueue(tmp_path)
    task = queue.add_task("Hold it")
    holder = started(HOLD, str(tmp_path))
    assert holder.stdout is not None and holder.stdout.readline().strip() == task.id
    assert queue.claim_task("worker-2") is None
    assert queue.get_task(task.id).agent == "worker-1"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    claimed = queue.claim_task("worker-2", wait=30)
    assert claimed is not None and claimed.id == task.id
    assert command("complete", task.id, "--as", "worker-2", "--result", "by the command")
    assert queue.get_task(task.id).result == "by the command"


def test_a_result_under_a_claim_that_was_lost_is_refused() -> None:
    queue = TaskQueue()
    task = queue.add_task("Do it")
    assert queue.claim_task("worker-1") is not None
    queue.cancel_task(task.id)
    with pytest.raises(Refused) as refused:
        queue.complete_task(task.id, "too late")
    assert refused.value.code == "claim_lost"
    assert len(queue.get_task(task.id).view["late"]) == 1


def test_an_attempt_that_fails_is_followed_by_others_as_long_as_there_are_any() -> None:
    queue = TaskQueue()
    task = queue.add_task("Do it", attempts=2, backoff_ms=0)
    for left in ("ready", "failed"):
        assert queue.claim_task("worker-1") is not None
        assert queue.fail_task(task.id, "it broke").status == left
    assert queue.retry_task(task.id).status == "ready"
    with pytest.raises(ValueError, match="which agent"):
        queue.complete_task(task.id, "by whom?")


def test_messages_arrive_in_order_and_can_be_received_again() -> None:
    bus = MessageBus()
    first = bus.send("lead-1", "worker-1", "Begin.")
    bus.send(AgentMessage(from_agent="lead-1", to_agent=None, content="All of you."))
    received = bus.receive("worker-1")
    assert [message.content for message in received] == ["Begin.", "All of you."]
    assert (received[0].id, received[1].to_agent) == (first.id, None)
    assert bus.receive("worker-1") == received, "since is a cursor of the receiver's"
    assert bus.receive("worker-1", after_seq=received[0].seq) == received[1:]
    assert bus.receive("worker-1", since=received[1].timestamp) == []
    assert bus.inbox("worker-1") == [], "they were read"


def test_a_fork_is_told_that_it_cannot_run_a_team(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path)
    assert queue.claim_task("worker-1", wait=0.01) is None
    context = multiprocessing.get_context("fork")
    said, says = context.Pipe(duplex=False)

    def child() -> None:
        try:
            queue.claim_task("worker-2", wait=0.01)
        except RuntimeError as error:
            says.send(str(error))
        else:
            says.send("nothing was said")

    forked = context.Process(target=child)
    forked.start()
    assert said.poll(30) and "forked" in said.recv()
    forked.join(30)
    assert forked.exitcode == 0
