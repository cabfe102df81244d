"""What the fake providers share: a server on 127.0.0.1 that answers models' requests by a script, and knows nothing else.

The script is a JSON object: for each text that somebody may say to the model, its answers, one after the other. A request holds
the whole conversation; so what comes next is told by how many answers stand after the last text that the script knows. Nothing
is remembered between requests, and a conversation that is gone on with elsewhere goes on in the script, too.

  {"say": TEXT}            answers with a text
  {"say": TEXT, "stays": true}  begins to, and says no more after the text until whoever asks goes away
  {"call": [TOOL, INPUT]}  calls a tool, by the name under which it is offered
  {"hang": true}           does not answer until whoever asks goes away
  {"status": CODE}         refuses with that HTTP status

A program of a provider calls `serve` with how it reads requests and writes answers. It prints its port, and runs until its
standard input ends. With a second argument it appends each request to that file, one JSON object a line.
"""

import http.server
import json
import sys
import threading

INPUT_TOKENS, OUTPUT_TOKENS = 100, 20


def step(script, conversation):
    """What is answered in a conversation: a list of ("user" | "model", TEXT)."""
    for place in range(len(conversation) - 1, -1, -1):
        who, text = conversation[place]
        # Some programs say in one text what they were told one after the other: the last counts.
        known = max((words for words in script if words in text), key=text.rfind, default=None) if who == "user" else None
        if known is not None:
            answered = sum(1 for who, _ in conversation[place:] if who == "model")
            steps = script[known]
            return steps[answered] if answered < len(steps) else {"say": "That is all."}
    return {"say": "I know nothing of that."}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(200, {"data": []})

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = json.loads(body)
        if self.server.journal:
            with open(self.server.journal, "a") as journal:
                journal.write(json.dumps({"path": self.path, "body": request}) + "\n")
        provider = self.server.provider
        # Where the model stands in the path, it does in the request, too.
        request["path"] = self.path
        if not self.path.split("?")[0].endswith(provider.PATHS):
            return self.answer(200, provider.other(self.path, request))
        # What has no tools is a question by the way, such as for a title.
        done = step(self.server.script, provider.conversation(request)) if request.get("tools") else {"say": "ok"}
        if "hang" in done:
            self.connection.recv(1)
        elif "status" in done:
            self.answer(done["status"], provider.error(done["status"]))
        elif provider.is_streamed(request):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in provider.events(request, done):
                kind = f"event: {event['type']}\n" if "type" in event else ""
                self.wfile.write(f"{kind}data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
                if done.get("stays") and done["say"] in json.dumps(event):
                    self.connection.recv(1)
                    return
            self.wfile.write(provider.END)
        else:
            self.answer(200, provider.whole(request, done))

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass  # Whoever asked went away.


def is_asked_to_stream(request):
    return request.get("stream", False)


def serve(provider):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.provider, server.script = provider, json.load(open(sys.argv[1]))
    server.journal = sys.argv[2] if len(sys.argv) > 2 else None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
