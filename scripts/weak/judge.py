"""Judges a run of a weak model from outside: by git, by the transcripts and by what `agent-team` says of its team.

usage: judge.py AGENT_TEAM FOLDER EXIT_CODE SECONDS
FOLDER has the repository in `team`, its HOME in `home` and what the run printed in `run.log`.
Prints TASK, ATTEMPT, NOTE and FIGURES lines, and an ERROR line for each thing that does not hold; exit code 1 if there is one.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

binary, place, code, seconds = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
team = place / "team"
environment = {"HOME": str(place / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
errors = []


def error(text):
    errors.append(text)
    print("ERROR", text)


def left_over():
    """Processes that have something to do with the team's folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
            said = command + (entry / "environ").read_bytes() + os.fsencode(os.readlink(entry / "cwd"))
        except OSError:
            continue
        if os.fsencode(team) in said or os.fsencode(place / "home") in said:
            found.append(f"{entry.name} {command.replace(bytes(1), b' ').decode(errors='replace').strip()}")
    return found


def output(*command, cwd=team):
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        error(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        sys.exit(1)
    return done.stdout


def git(*arguments):
    return output("git", *arguments)


def holds(command, commit):
    """Whether a command holds on a commit, in a clone of its own. What a model wrote is run in a sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        output("git", "clone", "--quiet", str(team), folder + "/clone", cwd=place)
        output("git", "checkout", "--quiet", commit, cwd=folder + "/clone")
        sandbox = ["bwrap", "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        for seen in ("/usr", "/bin", "/lib", "/lib64", "/etc/alternatives"):
            sandbox += ["--ro-bind-try", seen, seen]
        sandbox += ["--bind", folder + "/clone", "/work", "--chdir", "/work", "sh", "-c", command]
        try:
            return subprocess.run(sandbox, env=environment, capture_output=True, timeout=60, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def lines(token):
    """The transcript of the attempt that a claim began."""
    file = team / ".agent-team" / "attempts" / token / "transcript.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def files_written(transcript):
    """The files that the tools of an attempt wrote, by their own words."""
    calls = {
        part["id"]: part
        for line in transcript
        if line["type"] == "answered"
        for part in line["parts"]
        if part["type"] == "tool_call"
    }
    done = (calls.get(line["call_id"]) for line in transcript if line["type"] == "tool_result" and not line["is_error"])
    return {call["input"].get("path", "") for call in done if call and call["name"] in ("write", "edit")} - {""}


def is_kept(token, agent, path):
    """Whether a ref holds what an attempt wrote, or the agent's folder still does."""
    path = os.path.normpath(path).removeprefix(str(team / ".agent-team" / "workspaces" / agent) + "/")
    refs = git("for-each-ref", "--format=%(refname)", f"refs/agent-team/attempts/{token}", f"refs/agent-team/kept/{agent}").split()
    if any(git("ls-tree", "--name-only", ref, "--", path).strip() for ref in refs):
        return True
    return (team / ".agent-team" / "workspaces" / agent / path).exists()


# It ended by itself.
if code not in (0, 5):
    error({124: "the run hung: it had not ended by itself"}.get(code, f"the run ended with {code}") + f" after {seconds} s")
time.sleep(1)
for process in left_over():
    error(f"a process of the run is left: {process}")
if subprocess.run([binary, "doctor"], cwd=team, env=environment, capture_output=True, check=False).returncode != 0:
    error("agent-team doctor finds something that is lost")
log = [json.loads(line) for line in output(binary, "log", "--json").splitlines()]
ended = [line["record"]["body"]["outcome"] for line in log if line["record"]["kind"] == "run_ended"]
if len(ended) != 1:
    error(f"the log has {len(ended)} ends of the run")

status = json.loads(output(binary, "status", "--json"))
tasks = json.loads(output(binary, "list", "--json"))
if status["running"] or any(agent["holds"] for agent in status["agents"]):
    error("something is still held")
if status["late"]:
    print(f"NOTE {status['late']} results came too late, after a takeover: they are refused and kept")

# Why claims ended before their time: given back, or taken over.
bodies = [line["record"]["body"] for line in log if line["record"]["kind"] in ("claim_released", "claim_expired")]
reasons = {body["claim"]: body.get("reason") or body.get("cause") for body in bodies}
fate, mistakes = collections.Counter(), collections.Counter()
attempts = turns = 0
for task in tasks:
    name = task["id"]
    # What ended the attempts: each is begun by the first claim of its number, and has a transcript in that one's folder.
    begun = {}
    for claim in task["claims"]:
        begun.setdefault(claim["attempt"], []).append(claim)
    if sorted(begun) != list(range(1, task["attempt"] + 1)):
        error(f"{name}: of {task['attempt']} attempts these are there: {sorted(begun)}")
    for number, claims in begun.items():
        attempts += 1
        told = [said for said in task["feedback"] if said["attempt"] == number]
        transcript = [line for claim in claims if claim["stage"] == "work" for line in lines(claim["token"])]
        if any(claim["ending"] is None for claim in claims):
            error(f"{name}: attempt {number} was never ended")
        if not transcript:
            error(f"{name}: attempt {number} has no transcript")
            continue
        said_last = transcript[-1].get("outcome", "")
        by_log = " / ".join(reasons[claim["token"]] for claim in claims if reasons.get(claim["token"]))
        if not said_last and not told and not by_log:
            error(f"{name}: neither the log nor the transcript says how attempt {number} ended")
        elif not said_last:
            error(f"{name}: the transcript of attempt {number} breaks off without an end")
        answers = [line for line in transcript if line["type"] == "answered"]
        turns += len(answers)
        mistakes["calls"] += sum(part["type"] == "tool_call" for line in answers for part in line["parts"])
        mistakes["calls refused"] += sum(line["type"] == "tool_result" and line["is_error"] for line in transcript)
        mistakes["answers without a call"] += sum(all(part["type"] != "tool_call" for part in line["parts"]) for line in answers)
        mistakes["answers cut at their length"] += sum(line["stop"] == "length" for line in answers)
        mistakes["compactions"] += sum(line["type"] == "compacted" for line in transcript)
        has_failed = any(claim["ending"] == "failed" for claim in claims)
        if told:
            ending = f"failed by {told[-1]['cause']}: {told[-1]['text']}"
            fate[f"failed by {told[-1]['cause']}"] += 1
        elif number == task["attempt"] and task["status"] == "completed":
            ending = "completed"
            fate["completed"] += 1
        elif has_failed:
            ending = "failed, and nothing says why"
            error(f"{name}: attempt {number} {ending}")
        else:
            ending = ": ".join(dict.fromkeys((claims[-1]["ending"], by_log or said_last)))
            fate[claims[-1]["ending"]] += 1
        if any(not said["text"].strip() for said in told):
            error(f"{name}: attempt {number} failed for a reason that has no words")
        begins = claims[0]
        for path in files_written(transcript):
            if not is_kept(begins["token"], begins["agent"], path):
                error(f"{name}: {path}, which attempt {number} wrote, is held nowhere")
        print(f"ATTEMPT {name} {number} by {begins['agent']}, {len(answers)} turns: {' / '.join(ending.splitlines())[:300]}")

    now = task["status"]
    if now == "completed":
        end = f"completed, {task['merged'] or 'without a commit'}"
        if task["merged"] and not holds(task["check"], task["merged"]):
            error(f"{name}: completed, but its check does not hold on {task['merged']}")
        if not holds(task["check"], "main"):
            error(f"{name}: completed, but its check does not hold on main")
    elif now == "failed":
        end = f"failed ({task['failure']})"
        if not task["failure"] or not task["feedback"]:
            error(f"{name}: failed, and nothing says why")
    elif task["waits_for"] or ended == ["over_budget"]:
        end = f"{now}, waits for {task['waits_for'] or 'a budget of the team'}"
    else:
        end = now
        error(f"{name}: {now}, and nothing says what it waits for")
    spent = {"calls": 0, "input_tokens": 0, "output_tokens": 0} | task["spent"]
    print(f"TASK {name} {end}; {task['attempt']} attempts, {spent['calls']} calls, {spent['input_tokens'] + spent['output_tokens']} tokens")

# The branch has what was completed, each once, and nothing else.
landed = git("log", "--format=%H", "main").split()
merged = [task["merged"] for task in tasks if task["status"] == "completed" and task["merged"]]
if sorted(landed[:-1]) != sorted(merged):
    error(f"main has the commits {landed[:-1]}, and completed tasks {merged}")
if git("status", "--porcelain").strip():
    error("the work tree is not as main is")
gate = next(line["record"]["body"]["policy"]["gate"] for line in log if line["record"]["kind"] == "policy_set")
for commit in landed:
    if not holds(gate, commit):
        error(f"the gate is red on {commit}, which is on main")

spent = status["spent"]
fates = ", ".join(f"{count} {what}" for what, count in sorted(fate.items()))
print(f"FIGURES {seconds} s, outcome {ended[-1] if ended else 'none'}, exit code {code}")
print(f"FIGURES {len(tasks)} tasks: " + ", ".join(f"{status[what]} {what}" for what in ("completed", "failed", "ready", "blocked")))
print(f"FIGURES {attempts} attempts: {fates}")
print(f"FIGURES {turns} turns: " + ", ".join(f"{count} {what}" for what, count in mistakes.items()))
print(f"FIGURES {spent['input_tokens']} tokens read, {spent['output_tokens']} written, {spent['calls']} calls, {len(log)} records")
if errors:
    sys.exit(1)
print("OK every attempt ended and is accounted for, and main has what was proved and nothing else")
