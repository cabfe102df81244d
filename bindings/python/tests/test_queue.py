"""Claims across processes, messages, and what forks."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from agent_team import AgentMessage, AgentTeam, MessageBus, Refused, Reservation, TaskQueue, TeamError
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


def test_a_result_is_checked_when_it_is_delivered(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path)
    task = queue.add_task("Write it", check="echo 'it is missing'; test -f written", backoff_ms=0)
    assert queue.claim_task("worker-1") is not None
    refused = queue.complete_task(task.id, "written")
    assert refused.status == "ready"
    assert "it is missing" in refused.view["feedback"][0]["text"]
    assert queue.claim_task("worker-1") is not None
    (tmp_path / "written").touch()
    assert queue.complete_task(task.id, "written now").status == "completed"


def test_a_check_that_cannot_be_confined_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = TaskQueue(tmp_path)
    (tmp_path / "team.toml").write_text('[sandbox]\nkind = "none"\n')
    task = queue.add_task("Write it", check="touch run-by-the-check")
    assert queue.claim_task("worker-1") is not None
    with pytest.raises(TeamError) as refused:
        queue.complete_task(task.id, "written")
    assert refused.value.hint is not None and "agent-team trust" in refused.value.hint
    assert (queue.get_task(task.id).status, (tmp_path / "run-by-the-check").exists()) == ("running", False)
    # Whoever says so here need not ask the file.
    assert queue.complete_task(task.id, "written", sandbox=False).status == "completed"


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


def test_sixteen_processes_lose_nothing_and_do_nothing_twice_though_some_are_killed(tmp_path: Path) -> None:
    chance = random.Random(20261127)
    team = AgentTeam(tmp_path, durability="process")
    added = {team.add_task(f"Count {number}", attempts=50).id for number in range(300)}
    workers = [started(WORK, str(tmp_path), f"worker-{number}") for number in range(16)]
    for killed in range(12):
        number = chance.randrange(16)
        # It is killed in the middle of its work, or of nothing if none is left for it.
        worker = workers[number]
        assert worker.stdout is not None
        worker.stdout.readline()
        worker.kill()
        worker.communicate(timeout=60)
        workers[number] = started(WORK, str(tmp_path), f"worker-{number}-{killed}")
    for worker in workers:
        worker.communicate(timeout=120)
    # What the last ones held that were killed is free once somebody looks.
    while (task := team.queue.claim_task("last", wait=10)) is not None:
        team.queue.complete_task(task.id, "by the last")
    assert team.get_status()["completed"] == len(added)

    async def delivered() -> list[str | None]:
        submitted = [record async for record in team.records() if record.kind == "task_submitted"]
        return [record.task for record in submitted if record.fate == "effective"]

    tasks = asyncio.run(delivered())
    assert len(tasks) == len(added) and set(tasks) == added, "each was delivered once"


def test_who_waits_on_a_loop_gets_what_is_added_meanwhile() -> None:
    async def waits() -> None:
        queue = TaskQueue()
        blocker = queue.add_task("Write it")
        assert queue.claim_task("worker-1") is not None
        queue.add_task("Read it", dependencies=[blocker])
        waiting = asyncio.create_task(queue.claim_when_ready("worker-2"))
        assert await queue.claim_when_ready("worker-3", timeout=0.01) is None
        queue.complete_task(blocker.id, "written")
        claimed = await waiting
        assert claimed is not None and claimed.description == "Read it"
        queue.complete_task(claimed.id, "read")
        assert await queue.claim_when_ready("worker-2") is None, "nothing is left, so none will come"

    asyncio.run(asyncio.wait_for(waits(), 60))


def test_who_cancels_a_wait_holds_nothing_by_it() -> None:
    async def cancels() -> None:
        queue = TaskQueue()
        blocker = queue.add_task("Write it")
        assert queue.claim_task("worker-1") is not None
        queue.add_task("Read it", id="read", dependencies=[blocker])
        waiting = asyncio.create_task(queue.claim_when_ready("worker-2"))
        # One turn of the loop, in which the wait begins.
        await asyncio.sleep(0)
        # The one frees the task, the other ends the wait: whoever is faster, nobody holds it then.
        queue.complete_task(blocker.id, "written")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert queue.get_task("read").status == "ready"

    for _ in range(20):
        asyncio.run(asyncio.wait_for(cancels(), 60))


def test_what_is_not_finished_is_given_back_at_the_end_of_with() -> None:
    queue = TaskQueue()
    first, second = queue.add_task("Write it"), queue.add_task("Read it")
    with queue:
        assert queue.claim_task("worker-1") is not None
        queue.complete_task(first.id, "written")
        claimed = queue.claim_task("worker-1")
        assert claimed is not None and claimed.id == second.id
    assert [task.status for task in queue] == ["completed", "ready"]


def test_tasks_are_added_all_of_them_or_none_and_can_be_changed() -> None:
    queue = TaskQueue()
    with pytest.raises(Refused) as refused:
        queue.add_tasks([{"description": "Write it"}, {"description": "Read it", "dependencies": ["nowhere"]}])
    assert refused.value.code == "missing_dependency" and queue.list_tasks() == []
    whole, after = queue.add_tasks(
        [{"id": "whole", "description": "Do it"}, {"description": "Tell it", "dependencies": ["whole"]}]
    )
    queue.edit_task(after.id, title="Tell it well", priority=7)
    assert (queue.get_task(after.id).title, queue.get_task(after.id).view["priority"]) == ("Tell it well", 7)
    parts = queue.replace_task(whole.id, [{"description": "Do the one half"}, {"description": "Do the other"}])
    assert set(queue.get_task(after.id).dependencies) == {part.id for part in parts}
    team = AgentTeam()
    team.add_task("Do it", id="it")
    team.queue._team.join({"id": "worker-1", "role": "worker"})
    assert team.queue.reassign_task("it", "worker-1").view["for_agent"] == "worker-1"


@pytest.mark.parametrize("odd", ["from a\u2028printed page", "in \x1b[31mred", "to the \u202eleft", "\t\x1b"])
def test_a_description_may_hold_what_no_title_may(odd: str) -> None:
    task = TaskQueue().add_task(odd)
    assert task.description == odd
    assert task.title.isprintable()


def test_files_are_reserved_by_one_and_who_has_them_hears_that_they_are_wanted() -> None:
    team = AgentTeam()
    for number, agent in enumerate(("worker-1", "worker-2")):
        team.add_task(f"Change it {number}", id=f"t{number}")
        assert team.queue.claim_task(agent) is not None
    team.queue.reserve_files("t0", "src/main.c")
    (reserved,) = team.queue.reservations()
    assert isinstance(reserved, Reservation) and (reserved.path, reserved.agent) == ("src/main.c", "worker-1")
    with pytest.raises(Refused):
        team.queue.reserve_files("t1", "src/main.c")
    assert ["src/main.c" in message.content for message in team.bus.inbox("worker-1")] == [True]
    team.queue.release_files("t0", "src/main.c")
    team.queue.reserve_files("t1", "src/main.c")


def test_who_asks_gets_the_answer_and_a_stream_gives_what_comes() -> None:
    async def talk() -> None:
        team = AgentTeam()
        bus = team.bus
        asking = asyncio.create_task(bus.ask("worker-1", "human", "Which of the two?"))
        async for question in bus.stream("human"):
            assert question.asks
            break
        questions = bus.questions("human")
        # The last letters of an id are its own.
        bus.answer(questions[0].id[:-1], "The first.")
        answer = await asking
        assert answer is not None and (answer.content, answer.reply_to) == ("The first.", questions[0].id)
        with pytest.raises(TeamError, match="answered"):
            bus.answer(questions[0], "The second.")
        came: list[str] = []
        bus.send("worker-1", "lead-1", "Begin.")
        async for message in bus.stream("lead-1"):
            came.append(message.content)
            if len(came) == 3:
                break
            bus.send("worker-1", "lead-1", f"Number {len(came)}")
        assert came == ["Begin.", "Number 1", "Number 2"]
        for number in range(3):
            bus.send("worker-1", "lead-1", f"Later {number}")
        async for later in bus.stream("lead-1", after_seq=message.seq):
            assert later.content == "Later 0"
            break
        assert [message.content for message in bus.inbox("lead-1")] == ["Later 1", "Later 2"], "they were not given out"

    asyncio.run(asyncio.wait_for(talk(), 60))


def test_a_lawful_no_says_what_to_do_as_the_command_does(tmp_path: Path, command: Command) -> None:
    queue = TaskQueue(tmp_path)
    queue.add_task("Do it", id="do-it")
    with pytest.raises(Refused) as refused:
        queue.get_task("do-ti")
    said = command.fails("show", "do-ti")
    assert str(refused.value) in said and refused.value.hint is not None and refused.value.hint in said
    command("agent", "add", "worker-1", "--role", "worker")
    with pytest.raises(Refused) as refused:
        AgentTeam(tmp_path).pause("wroker-1")
    said = command.fails("pause", "wroker-1")
    assert refused.value.hint == "in the team are worker-1" and refused.value.hint in said
    assert {queue.get_task("do-it"): 1}, "a task can be a key"


def in_a_fork(child: object, *arguments: object) -> str:
    """What a function says in a process that is forked from this one."""
    context = multiprocessing.get_context("fork")
    said, says = context.Pipe(duplex=False)
    forked = context.Process(target=child, args=(*arguments, says))  # type: ignore[arg-type]
    forked.start()
    assert said.poll(30), "it says nothing"
    words = str(said.recv())
    forked.join(30)
    assert forked.exitcode == 0
    return words


def uses_its_parents(queue: TaskQueue, says: Connection) -> None:
    try:
        queue.claim_task("worker-2")
    except TeamError as error:
        says.send(f"{error}; {error.hint}; {queue!r}")
    else:
        says.send("nothing was said")


def opens_anew(folder: Path, says: Connection) -> None:
    queue = TaskQueue(folder)
    claimed = queue.claim_task("worker-2", wait=30)
    assert claimed is not None
    queue.complete_task(claimed.id, "by a fork")
    team = AgentTeam()
    team.add_agent("worker-3", "worker", lambda prompt: "by a team of the fork")
    team.add_task("Run it")
    says.send(asyncio.run(team.run(timeout=30))["completed"])


def works(folder: Path, name: str) -> list[str]:
    queue = TaskQueue(folder, durability="process")
    done: list[str] = []
    while (task := queue.claim_task(name)) is not None:
        queue.complete_task(task.id, f"by {name}")
        done.append(task.id)
    return done


def test_sixteen_forks_do_each_task_once(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path, durability="process")
    added = [task.id for task in queue.add_tasks({"description": f"Count {number}"} for number in range(400))]
    # What draws random numbers here is copied by each fork.
    assert queue.claim_task("nobody", "t1") is not None
    queue.release_task("t1")
    with multiprocessing.get_context("fork").Pool(16) as pool:
        done = pool.starmap(works, [(tmp_path, f"worker-{number}") for number in range(16)], chunksize=1)
    assert sorted(task for tasks in done for task in tasks) == sorted(added)
    assert queue.get_status()["completed"] == len(added)


def test_a_queue_can_be_handed_to_another_process(tmp_path: Path) -> None:
    queue, bus = TaskQueue(tmp_path, durability="process"), MessageBus(tmp_path)
    queue.add_task("Do it", id="it")
    handed, bus_handed = pickle.loads(pickle.dumps((queue, bus)))
    assert handed.get_task("it").title == "Do it" and repr(bus_handed) == repr(bus)
    with pytest.raises(TypeError, match="in memory"):
        pickle.dumps(TaskQueue())


def test_a_fork_has_a_team_of_its_own_or_none(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path)
    assert queue.claim_task("worker-1", wait=0.01) is None
    assert "open it anew" in in_a_fork(uses_its_parents, queue)
    held = queue.add_task("Hold it")
    assert queue.claim_task("worker-1") is not None
    queue.add_task("Leave it")
    assert in_a_fork(opens_anew, tmp_path) == "1"
    assert queue.get_task(held.id).agent == "worker-1", "what the parent holds is its own"
    assert queue.complete_task(held.id, "held").status == "completed"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_queue_that_is_opened_again_and_again_holds_no_more_than_one(tmp_path: Path) -> None:
    TaskQueue(tmp_path).add_task("Do it", id="it")

    def opened() -> int:
        queue = TaskQueue(tmp_path)
        assert queue.claim_task("worker-1") is not None
        queue.release_task("it")
        team = AgentTeam(tmp_path)
        team.add_agent("worker-1", "worker", lambda prompt: prompt)
        del queue, team
        gc.collect()
        return descriptors()

    after = [opened() for _ in range(20)]
    assert after[-1] == after[1], after


def test_a_team_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    queue = TaskQueue("team")
    monkeypatch.chdir("elsewhere")
    queue.add_task("Do it", id="it")
    assert pickle.loads(pickle.dumps(queue)).get_task("it").title == "Do it"
    assert not (tmp_path / "elsewhere" / "team").exists()


def test_what_a_forgotten_queue_claimed_stays_claimed_and_a_team_made_anew_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    TaskQueue(folder).add_task("Hold it", id="it")
    assert TaskQueue(folder).claim_task("worker-1") is not None
    gc.collect()
    assert TaskQueue(folder).get_task("it").agent == "worker-1"
    assert TaskQueue(folder).complete_task("it", "done", "worker-1").status == "completed"
    shutil.rmtree(folder)
    assert TaskQueue(folder).list_tasks() == []
    assert TaskQueue(folder).add_task("Again", id="it").status == "ready"
