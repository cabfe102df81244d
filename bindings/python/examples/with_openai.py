"""Agents behind the `openai` SDK, by plain calls that block: each is made in a thread. `python examples/with_openai.py`."""

import asyncio

import openai

from agent_team import AgentRole, AgentTeam

client = openai.OpenAI()


def ask(prompt: str) -> str:
    answer = client.chat.completions.create(model="gpt-6.1-sol", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content or ""


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
