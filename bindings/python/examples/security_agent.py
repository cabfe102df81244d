"""An agent of one's own, with a skill: it looks at what another one wrote. `python examples/security_agent.py`."""

import asyncio
import re

from agent_team import Agent, AgentRole, AgentTeam, Task

SECRETS = re.compile(r"sk-[a-z0-9-]+|password\s*=")


class SecurityAgent(Agent):
    """Needs no model: it knows what it looks for."""

    async def execute_task(self, task: Task) -> str:
        found = {name: SECRETS.findall(text) for name, text in task.results.items()}
        leaks = {name: secrets for name, secrets in found.items() if secrets}
        return f"leaks: {leaks}" if leaks else "nothing found"


async def main() -> None:
    team = AgentTeam()
    team.add_agent("worker-1", AgentRole.WORKER, lambda prompt: "client = connect(password = 'hunter2')")
    team.add_agent(SecurityAgent("guard", AgentRole.SPECIALIST, skills=["security"]))
    written = team.add_task("Write the client")
    audit = team.add_task("Audit the client", dependencies=[written], skill="security")
    await team.run(timeout=60)
    print(team.queue.get_task(audit.id).result)


if __name__ == "__main__":
    asyncio.run(main())
