"""A fake of OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat. Its script: see scripted.py."""

import json
import sys
import time
import uuid

import scripted

PATHS, END = ("/chat/completions",), b"data: [DONE]\n\n"
is_streamed = scripted.is_asked_to_stream


def conversation(request):
    told = []
    for message in request["messages"]:
        content = message.get("content") or ""
        text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
        told.append(("model" if message["role"] == "assistant" else message["role"], text))
    return told


def message(done):
    if "call" not in done:
        return {"role": "assistant", "content": done["say"]}, "stop"
    tool, given = done["call"]
    function = {"name": tool, "arguments": json.dumps(given)}
    call = {"id": f"call_{uuid.uuid4().hex[:20]}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def head(request, kind):
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": request["model"]}


def used():
    tokens = {"prompt_tokens": scripted.INPUT_TOKENS, "completion_tokens": scripted.OUTPUT_TOKENS}
    return tokens | {"total_tokens": scripted.INPUT_TOKENS + scripted.OUTPUT_TOKENS}


def whole(request, done):
    said, why = message(done)
    choice = {"index": 0, "message": said, "finish_reason": why, "logprobs": None}
    return head(request, "chat.completion") | {"choices": [choice], "usage": used()}


def events(request, done):
    said, why = message(done)
    begun = head(request, "chat.completion.chunk")
    # A call comes as its name first, and then its arguments in pieces.
    pieces = [{"role": "assistant", "content": said["content"]}]
    for number, call in enumerate(said.get("tool_calls", [])):
        arguments = call["function"]["arguments"]
        half = len(arguments) // 2
        begins = call | {"index": number, "function": call["function"] | {"arguments": arguments[:half]}}
        pieces += [{"tool_calls": [begins]}, {"tool_calls": [{"index": number, "function": {"arguments": arguments[half:]}}]}]
    for piece in pieces:
        yield begun | {"choices": [{"index": 0, "delta": piece, "finish_reason": None}]}
    yield begun | {"choices": [{"index": 0, "delta": {}, "finish_reason": why}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield begun | {"choices": [], "usage": used()}


def error(status):
    return {"error": {"type": "invalid_request_error", "message": f"The script says {status}.", "code": None, "param": None}}


def other(path, request):
    return {}


if __name__ == "__main__":
    scripted.serve(sys.modules[__name__])
