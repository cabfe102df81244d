"""A fake of Anthropic's Messages: https://docs.anthropic.com/en/api/messages. Its script: see scripted.py."""

import json
import sys
import uuid

import scripted

PATHS, END = ("/messages",), b""
is_streamed = scripted.is_asked_to_stream


def words(part):
    """What is said in a part. Claude Code hands on what is said to it while it works at the end of what a tool gives."""
    if part["type"] == "tool_result" and isinstance(part.get("content"), str):
        return part["content"].partition("<system-reminder>")[2]
    return part["text"] if part["type"] == "text" else ""


def conversation(request):
    told = []
    for message in request["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "\n".join(words(part) for part in parts)
        told.append(("model" if message["role"] == "assistant" else "user", text))
    return told


def content(done):
    if "call" in done:
        tool, given = done["call"]
        return {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:20]}", "name": tool, "input": given}, "tool_use"
    return {"type": "text", "text": done["say"]}, "end_turn"


def message(request, parts, stop, output_tokens):
    usage = {"input_tokens": scripted.INPUT_TOKENS, "output_tokens": output_tokens}
    usage |= {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    head = {"id": f"msg_{uuid.uuid4().hex[:20]}", "type": "message", "role": "assistant", "model": request["model"]}
    return head | {"content": parts, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def whole(request, done):
    part, stop = content(done)
    return message(request, [part], stop, scripted.OUTPUT_TOKENS)


def events(request, done):
    part, stop = content(done)
    yield {"type": "message_start", "message": message(request, [], None, 1)}
    if part["type"] == "text":
        empty, delta = part | {"text": ""}, {"type": "text_delta", "text": part["text"]}
    else:
        empty, delta = part | {"input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": scripted.OUTPUT_TOKENS}}
    yield {"type": "message_stop"}


def error(status):
    kinds = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": f"The script says {status}."}}


def other(path, request):
    return {"input_tokens": scripted.INPUT_TOKENS}


if __name__ == "__main__":
    scripted.serve(sys.modules[__name__])
