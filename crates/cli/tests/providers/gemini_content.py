"""A fake of Gemini's generateContent: https://ai.google.dev/api/generate-content. Its script: see scripted.py."""

import sys
import uuid

import scripted

STREAM = ":streamGenerateContent"
PATHS, END = (":generateContent", STREAM), b""


def is_streamed(request):
    return STREAM in request["path"]


def conversation(request):
    """A model's calls that come together are one answer; what tools give is nobody's word."""
    told = []
    for content in request["contents"]:
        texts = [part["text"] for part in content["parts"] if "text" in part]
        who = "model" if content.get("role") == "model" else "user"
        if who == "model" or texts:
            told.append((who, "\n".join(texts)))
    return told


def parts(done):
    if "call" not in done:
        return [{"text": done["say"]}]
    tool, given = done["call"]
    return [{"functionCall": {"id": uuid.uuid4().hex[:8], "name": tool, "args": given}}]


def whole(request, done):
    tokens = {"promptTokenCount": scripted.INPUT_TOKENS, "candidatesTokenCount": scripted.OUTPUT_TOKENS}
    tokens |= {"totalTokenCount": scripted.INPUT_TOKENS + scripted.OUTPUT_TOKENS}
    candidate = {"content": {"role": "model", "parts": parts(done)}, "finishReason": "STOP", "index": 0}
    model = request["path"].split("/models/")[-1].split(":")[0]
    return {"candidates": [candidate], "usageMetadata": tokens, "modelVersion": model, "responseId": uuid.uuid4().hex}


def events(request, done):
    yield whole(request, done)


def error(status):
    kinds = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}
    return {"error": {"code": status, "message": f"The script says {status}.", "status": kinds.get(status, "INTERNAL")}}


def other(path, request):
    return {"totalTokens": scripted.INPUT_TOKENS} if path.endswith(":countTokens") else {}


if __name__ == "__main__":
    scripted.serve(sys.modules[__name__])
