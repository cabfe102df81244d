"""Agents behind the `anthropic` SDK, which finds key and base URL in the environment: `python examples/with_anthropic.py`."""

import asyncio

import anthropic

from agent_team import AgentRole, AgentTeam

client = anthropic.AsyncAnthropic()


async def ask(prompt: str) -> str:
    message = await client.messages.create(
        model="claude-sonnet-5-5", max_tokens=4_096, messages=[{"role": "user", "content": prompt}]
    )
    return "".join(block.text for block in message.content if block.type == "text")


async def main() -> None:
    team = AgentTeam()
    for number in (1, 2):
        team.add_agent(f"worker-{number}", AgentRole.WORKER, ask)
    for animal in ("otters", "herons"):
        team.add_task(f"Say one thing about {animal}, in a sentence")
    await team.run(timeout=300)
    for task in team.queue:
        print(f"{task.description}: {task.result}")


if __name__ == "__main__":
    asyncio.run(main())
