"""A fake of OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses. Its script: see scripted.py."""

import json
import sys
import time
import uuid

import scripted

PATHS, END = ("/responses",), b""
is_streamed = scripted.is_asked_to_stream


def conversation(request):
    """A call and what the model says with it are one answer each; what tools give is nobody's word."""
    given = request["input"]
    told = []
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind == "message":
            content = item["content"]
            text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
            told.append(("model" if item["role"] == "assistant" else item["role"], text))
        elif kind.endswith("_call"):
            told.append(("model", ""))
    return told


def item(request, done):
    if "call" not in done:
        text = {"type": "output_text", "text": done["say"], "annotations": []}
        head = {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "status": "completed"}
        return head | {"content": [text]}
    tool, given = done["call"]
    ids = {"id": f"fc_{uuid.uuid4().hex}", "call_id": f"call_{uuid.uuid4().hex[:20]}", "status": "completed"}
    call = {"type": "function_call", "name": tool, "arguments": json.dumps(given)} | ids
    # A tool of a server is offered within a namespace, and called so.
    for space in (tool for tool in request["tools"] if tool["type"] == "namespace"):
        if tool.startswith(space["name"] + "__"):
            call |= {"namespace": space["name"], "name": tool[len(space["name"]) + 2 :]}
    return call


def response(request, status, output, usage):
    head = {"id": f"resp_{uuid.uuid4().hex}", "object": "response", "created_at": int(time.time()), "status": status}
    head |= {"error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "model": request["model"]}
    head |= {"parallel_tool_calls": False, "tool_choice": "auto", "tools": [], "temperature": 1.0, "top_p": 1.0}
    return head | {"output": output, "usage": usage}


def used():
    return {
        "input_tokens": scripted.INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": scripted.OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": scripted.INPUT_TOKENS + scripted.OUTPUT_TOKENS,
    }


def whole(request, done):
    return response(request, "completed", [item(request, done)], used())


def events(request, done):
    made = item(request, done)
    begun = response(request, "in_progress", [], None)
    told = [("response.created", {"response": begun})]
    place = {"output_index": 0}
    if made["type"] == "message":
        text = made["content"][0]
        of = place | {"item_id": made["id"], "content_index": 0}
        told += [
            ("response.output_item.added", place | {"item": made | {"content": [], "status": "in_progress"}}),
            ("response.content_part.added", of | {"part": text | {"text": ""}}),
            ("response.output_text.delta", of | {"delta": text["text"], "logprobs": []}),
            ("response.output_text.done", of | {"text": text["text"], "logprobs": []}),
            ("response.content_part.done", of | {"part": text}),
        ]
    else:
        of = place | {"item_id": made["id"]}
        told += [
            ("response.output_item.added", place | {"item": made | {"arguments": "", "status": "in_progress"}}),
            ("response.function_call_arguments.delta", of | {"delta": made["arguments"]}),
            ("response.function_call_arguments.done", of | {"name": made["name"], "arguments": made["arguments"]}),
        ]
    ended = begun | {"status": "completed", "output": [made], "usage": used()}
    told += [("response.output_item.done", place | {"item": made}), ("response.completed", {"response": ended})]
    for number, (kind, fields) in enumerate(told):
        yield {"type": kind, "sequence_number": number} | fields


def error(status):
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status, "invalid_request_error")
    return {"error": {"type": kind if status < 500 else "server_error", "message": f"The script says {status}.", "code": None, "param": None}}


def other(path, request):
    return {}


if __name__ == "__main__":
    scripted.serve(sys.modules[__name__])
