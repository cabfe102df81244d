"""A team of three with a function in the place of a model: `python examples/quickstart.py`."""

import asyncio
import sys
from pathlib import Path

from agent_team import AgentRole, AgentTeam


def my_llm_function(prompt: str) -> str:
    return f"I was asked with {len(prompt.split())} words."


async def main(workspace: Path) -> None:
    team = AgentTeam(workspace)
    team.add_agent("lead-1", AgentRole.LEAD, my_llm_function)
    team.add_agent("worker-1", AgentRole.WORKER, my_llm_function)
    team.add_agent("worker-2", AgentRole.WORKER, my_llm_function)
    team.add_task("Research the problem space")
    t2 = team.add_task("Implement solution A")
    t3 = team.add_task("Implement solution B")
    team.add_task("Compare and synthesize", dependencies=[t2.id, t3.id])
    status = await team.run(timeout=300)
    print(f"Completed: {status['completed']}/{status['total']}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "my_team")))
