"""``python -m agent_team``: a team of three with a function in the place of a model. No key, nothing is called."""

from __future__ import annotations

import asyncio

from . import AgentRole, AgentTeam


async def my_llm(prompt: str) -> str:
    """Stands for a model: takes its time, and says something about what it was asked."""
    await asyncio.sleep(0.3)
    title = next((line for line in prompt.splitlines() if line.startswith("# Task ")), "the whole")
    return f"Done: {title.removeprefix('# Task ')} ({len(prompt.split())} words were read)"


async def main() -> None:
    team = AgentTeam()
    team.add_agent("lead-1", AgentRole.LEAD, my_llm)
    team.add_agent("worker-1", AgentRole.WORKER, my_llm)
    team.add_agent("worker-2", AgentRole.WORKER, my_llm)
    team.add_task("Research the problem space")
    first = team.add_task("Implement solution A")
    second = team.add_task("Implement solution B")
    team.add_task("Compare and synthesize", dependencies=[first.id, second.id])
    status = await team.run(timeout=300)
    for task in team.queue:
        print(f"{task.status:10} {task.agent:10} {task.description}: {task.result}")
    print(f"Completed: {status['completed']}/{status['total']}, {status.outcome}")


if __name__ == "__main__":
    asyncio.run(main())
