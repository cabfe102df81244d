"""An agent that speaks the Agent Client Protocol, version 1, and does what a script says: written from the protocol and from
what real agents were seen to do. It takes the path of its script, a JSON object: for each text that a prompt may hold, the
steps of that turn.

  {"write": [PATH, TEXT]}      announces a call, asks whether it may, writes the file if so, and tells
  {"team": [TOOL, INPUT]}      calls a tool of the server `team` that it was given, and says what came of it
  {"say": TEXT}                says something
  {"hang": true}               does nothing until it is told to leave off
  {"die": CODE}                ends, with a word on standard error
  {"stray": PATH}              starts a process in a session of its own that ignores SIGTERM and writes its id there
  {"model": true}              says which model it calls

Under "$models" stand the models that it offers; it begins with the first. Without them it can be told none.
"""

import json
import os
import subprocess
import sys

script = json.load(open(sys.argv[1]))
models = script.pop("$models", [])
model = models[0] if models else None
next_id = 1000


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def request(method, params):
    """Asks the client, and waits for its answer. Whoever leaves off meanwhile gets the cancellation as the answer."""
    global next_id
    next_id += 1
    send({"id": next_id, "method": method, "params": params})
    while True:
        message = receive()
        if message.get("id") == next_id:
            return message["result"]


class Server:
    """The server of the team, over its standard input and output."""

    def __init__(self, wanted):
        environment = {**os.environ, **{pair["name"]: pair["value"] for pair in wanted["env"]}}
        command = [wanted["command"], *wanted["args"]]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fake", "version": "1"}}
        self.ask("initialize", hello)
        self.tell({"method": "notifications/initialized"})
        self.tools = [tool["name"] for tool in self.ask("tools/list", {})["tools"]]

    def tell(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.tell({"id": 1, "method": method, "params": params})
        while True:
            message = json.loads(self.process.stdout.readline())
            if message.get("id") == 1 and "method" not in message:
                return message["result"]

    def call(self, tool, arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        return "".join(part["text"] for part in result["content"]), result.get("isError", False)


def update(session, what, **fields):
    update = {"sessionUpdate": what, **fields}
    send({"method": "session/update", "params": {"sessionId": session, "update": update}})


def say(session, text):
    update(session, "agent_message_chunk", content={"type": "text", "text": text})


def step(session, folder, server, number, what):
    """Does one step, and says whether the turn was broken off in it."""
    call = f"call-{number}"
    if "write" in what:
        path, text = what["write"]
        told = {"toolCallId": call, "title": f"Write {path}", "kind": "edit"}
        update(session, "tool_call", **told, status="pending", rawInput={"path": path})
        options = [
            {"optionId": "a", "name": "Always", "kind": "allow_always"},
            {"optionId": "o", "name": "Once", "kind": "allow_once"},
            {"optionId": "r", "name": "No", "kind": "reject_once"},
        ]
        asked = {"sessionId": session, "toolCall": told, "options": options}
        outcome = request("session/request_permission", asked)["outcome"]
        allowed = outcome.get("optionId") == "o"
        if allowed:
            with open(os.path.join(folder, path), "w") as file:
                file.write(text)
        said = {"type": "content", "content": {"type": "text", "text": "written" if allowed else "not allowed"}}
        update(session, "tool_call_update", toolCallId=call, status="completed" if allowed else "failed", content=[said])
    elif "team" in what:
        tool, arguments = what["team"]
        # As some do, it announces nothing and tells of the call when it is over.
        output, failed = server.call(tool, arguments)
        content = [{"type": "content", "content": {"type": "text", "text": output}}]
        told = {"toolCallId": call, "title": f"mcp__team__{tool}", "rawInput": arguments, "content": content}
        update(session, "tool_call_update", **told, status="failed" if failed else "completed")
    elif "model" in what:
        say(session, f"I call {model}.")
    elif "say" in what:
        say(session, what["say"])
    elif "hang" in what:
        while receive().get("method") != "session/cancel":
            pass
        return True
    elif "stray" in what:
        program = f"trap '' TERM; echo $$ > {what['stray']}; while true; do sleep 1; done"
        subprocess.Popen(["setsid", "sh", "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    elif "die" in what:
        sys.stderr.write("the battery is empty\n")
        sys.exit(what["die"])
    return False


def options():
    """The model, as an option of the session."""
    values = [{"value": name, "name": name.title()} for name in models]
    return [{"id": "llm", "name": "Model", "category": "model", "type": "select", "currentValue": model, "options": values}]


def main():
    global model
    folder = server = None
    number = 0
    while True:
        message = receive()
        method, params = message.get("method"), message.get("params", {})
        if method == "initialize":
            result = {"protocolVersion": 1, "agentCapabilities": {}, "authMethods": []}
        elif method == "session/new":
            if script.get("login"):
                send({"id": message["id"], "error": {"code": -32000, "message": "Authentication required"}})
                continue
            folder = params["cwd"]
            wanted = params["mcpServers"]
            server = Server(wanted[0]) if wanted else None
            result = {"sessionId": "s-1", **({"configOptions": options()} if models else {})}
        elif method == "session/set_config_option" and params["configId"] == "llm":
            model = params["value"]
            result = {"configOptions": options()}
        elif method == "session/prompt":
            session = params["sessionId"]
            prompt = "".join(part["text"] for part in params["prompt"])
            steps = next((steps for words, steps in script.items() if words in prompt), [{"say": "I know nothing of that."}])
            broken_off = False
            for what in steps:
                number += 1
                if step(session, folder, server, number, what):
                    broken_off = True
                    break
            usage = {"totalTokens": 120, "inputTokens": 100, "outputTokens": 20}
            result = {"stopReason": "cancelled" if broken_off else "end_turn", "usage": usage}
        elif "id" in message and method:
            send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})
            continue
        else:
            continue
        send({"id": message["id"], "result": result})


main()
