"""Teams of the real command line, and the page of one in a real browser."""

import json
import os
import re
import signal
import subprocess
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

COMMAND = os.environ["AGENT_TEAM_COMMAND"]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# What is waited for at most, in seconds; nothing is waited for longer than it takes.
PATIENCE = 20
expect.set_options(timeout=PATIENCE * 1000)


def environment(home):
    """What children know: no key, no base URL, no settings of whoever runs this."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def until(condition, what="it"):
    """Waits until a condition holds, and gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come about in {PATIENCE} s")


class Team:
    """A team in a folder of its own."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.folder = folder / "project"
        for made in (self.home, self.folder):
            made.mkdir(parents=True)
        self.children = []

    def __call__(self, *arguments, code=0, given=None):
        done = subprocess.run(
            [COMMAND, *arguments], cwd=self.folder, env=environment(self.home), input=given, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json"))

    def begin(self, *arguments):
        """Begins a command that goes on meanwhile."""
        with (self.home / f"{arguments[0]}.txt").open("w") as out:
            child = subprocess.Popen(
                [COMMAND, *arguments], cwd=self.folder, env=environment(self.home), stdout=subprocess.PIPE if arguments[0] == "web" else out, stderr=out, text=True
            )
        self.children.append(child)
        return child

    def web(self, *arguments):
        """Serves the page, and gives its first address."""
        child = self.begin("web", "--json", *arguments)
        return json.loads(child.stdout.readline())["url"]

    def repository(self, toml, script):
        """Makes the folder a repository with a scripted team."""
        (self.folder / "team.toml").write_text(toml)
        (self.folder / "script.json").write_text(json.dumps(script))
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"]
        for git in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-qm", "Begin"]):
            subprocess.run(["git", *git], cwd=self.folder, env=environment(self.home), check=True)

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@pytest.fixture
def team(tmp_path):
    made = Team(tmp_path / "team")
    yield made
    made.end()


@pytest.fixture
def worked(team):
    """A team in which something has happened, without any run."""
    team("init")
    team("add", "Write the lexer", "--id", "lexer", "--priority", "2")
    team("add", "Write the parser", "--id", "parser", "--after", "lexer")
    team("add", "Write the docs", "--id", "docs")
    team("claim", "lexer", "--as", "worker-1")
    team("complete", "lexer", "--as", "worker-1", "--result", "lexer.c reads all tokens.")
    team("claim", "docs", "--as", "worker-2")
    team("say", "everyone", "Keep the old API")
    return team


@pytest.fixture
def running(team):
    """A run in which one agent waits for its plan to be judged, one for an answer, and one for its model."""
    toml = 'with = "script:script.json"\ngate = "true"\n[[agent]]\nname = "worker"\ncount = 3\n'
    for task, more in (("tool", "plan = true"), ("slow", ""), ("asked", "")):
        place = {"tool": 1, "slow": 2, "asked": 3}[task]
        toml += f'[[task]]\nid = "{task}"\ntitle = "Make {task}"\nagent = "worker-{place}"\n{more}\n'
    plan = "\n".join(f"{n}. Change part {n} of the tool, and look whether all of it still holds." for n in range(1, 80))

    def call(name, **given):
        return {"tool_calls": [{"name": name, "input": given}]}

    rules = [
        {"when": {"task": "tool", "contains": "You may begin now"}, "give": call("write", path="tool.sh", content="echo ok\n")},
        {"when": {"task": "tool", "turn": 0}, "give": call("submit_plan", plan=plan)},
        {"when": {"task": "tool"}, "give": call("finish", result="It says ok.")},
        {"when": {"task": "slow", "contains": "lexer"}, "give": call("finish", result="I stopped, as you said.")},
        {"when": {"task": "slow"}, "give": {"text": "I think for long.", "delay_ms": 600000}},
        {"when": {"task": "asked"}, "steps": [call("ask", question="Tabs or <b>spaces</b>?", to="human"), call("finish", result="Done, with what you said.")]},
    ]
    team.repository(toml, {"rules": rules})
    run = team.begin("run")
    until(lambda: (team.folder / ".agent-team" / "log.jsonl").exists() and len(team.json("plan", "list")) == 1, "the plan")
    yield team
    if run.poll() is None:
        run.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    home = tmp_path_factory.mktemp("browser")
    with sync_playwright() as playwright:
        # Debian's own browser; root has no sandbox for it.
        options = {"executable_path": CHROMIUM, "env": environment(home)}
        arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        made = playwright.chromium.launch(args=arguments, **options)
        yield made
        made.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; in the end none may have asked another origin for anything, nor have had an error."""
    contexts, asked, errors = [], [], []

    def opened(url, width=1280, height=800, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("request", lambda request: asked.append((urlsplit(url).netloc, request.url)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector(".page")
        return page

    opened.errors = errors
    yield opened
    for context in contexts:
        context.close()
    left = [url for netloc, url in asked if urlsplit(url).netloc != netloc and not url.startswith("data:")]
    assert asked and not left, left
    # A refusal of the server stands in the console, too, and is no error of the page.
    assert not [error for error in errors if not re.search(r"status of (4\d\d)", error)], errors
