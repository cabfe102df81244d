"""Checks the fakes with the official SDKs, which `scripts/fakes` installs. It ends with an error if one of them does not take a fake
for its provider."""

import json
import pathlib
import subprocess
import sys
import tempfile

import anthropic
import google.genai
import openai

SCRIPT = {"Call": [{"call": ["f", {"a": 1}]}, {"say": "done"}], "No": [{"status": 429}], "Hi": [{"say": "hello"}]}
HERE = pathlib.Path(__file__).parent


class Fake:
    """A fake that runs, and the root of its addresses."""

    def __init__(self, program, script):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, str(HERE / program), script], **pipes)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def check_anthropic(url):
    client = anthropic.Anthropic(base_url=url, api_key="dummy", max_retries=0)
    asked = {"model": "m", "max_tokens": 10, "tools": [{"name": "f", "input_schema": {"type": "object"}}]}
    told = lambda words: {"role": "user", "content": words}
    said = client.messages.create(**asked, messages=[told("Hi")])
    assert (said.content[0].text, said.stop_reason, said.usage.output_tokens) == ("hello", "end_turn", 20), said
    with client.messages.stream(**asked, messages=[told("Call")]) as stream:
        called = stream.get_final_message()
    assert (called.content[0].input, called.stop_reason, called.usage.input_tokens) == ({"a": 1}, "tool_use", 100), called
    result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "x"}
    answered = {"role": "assistant", "content": [part.model_dump() for part in called.content]}
    with client.messages.stream(**asked, messages=[told("Call"), answered, told([result])]) as stream:
        assert stream.get_final_text() == "done"
    try:
        client.messages.create(**asked, messages=[told("No")])
        raise AssertionError("429 is no error")
    except anthropic.RateLimitError:
        pass
    assert client.messages.count_tokens(model="m", messages=[told("Hi")]).input_tokens == 100


def check_openai_responses(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="dummy", max_retries=0)
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    asked = {"model": "m", "tools": [tool]}
    said = client.responses.create(**asked, input="Hi")
    assert (said.output_text, said.status, said.usage.total_tokens) == ("hello", "completed", 120), said
    with client.responses.stream(**asked, input="Call") as stream:
        called = stream.get_final_response()
    call = called.output[0]
    assert (json.loads(call.arguments), called.usage.input_tokens) == ({"a": 1}, 100), called
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "x"}
    items = [{"role": "user", "content": "Call"}, call.model_dump(exclude={"parsed_arguments"}), result]
    with client.responses.stream(**asked, input=items) as stream:
        assert stream.get_final_response().output_text == "done"
    try:
        client.responses.create(**asked, input="No")
        raise AssertionError("429 is no error")
    except openai.RateLimitError:
        pass


def check_openai_completions(url):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="dummy", max_retries=0)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    asked = {"model": "m", "tools": [tool]}
    told = lambda words: {"role": "user", "content": words}
    said = client.chat.completions.create(**asked, messages=[told("Hi")])
    assert (said.choices[0].message.content, said.usage.total_tokens) == ("hello", 120), said
    usage = {"stream_options": {"include_usage": True}}
    with client.chat.completions.stream(**asked, **usage, messages=[told("Call")]) as stream:
        called = stream.get_final_completion()
    choice = called.choices[0]
    call = choice.message.tool_calls[0]
    assert (json.loads(call.function.arguments), choice.finish_reason) == ({"a": 1}, "tool_calls"), called
    assert called.usage.prompt_tokens == 100, called
    asking = {"type": "function", "id": call.id, "function": {"name": "f", "arguments": call.function.arguments}}
    answered = {"role": "assistant", "tool_calls": [asking]}
    result = {"role": "tool", "tool_call_id": call.id, "content": "x"}
    with client.chat.completions.stream(**asked, messages=[told("Call"), answered, result]) as stream:
        assert stream.get_final_completion().choices[0].message.content == "done"
    try:
        client.chat.completions.create(**asked, messages=[told("No")])
        raise AssertionError("429 is no error")
    except openai.RateLimitError:
        pass


def check_gemini(url):
    types = google.genai.types
    client = google.genai.Client(api_key="dummy", http_options=types.HttpOptions(base_url=url))
    declared = types.FunctionDeclaration(name="f", parameters_json_schema={"type": "object"})
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])
    said = client.models.generate_content(model="m", contents="Hi", config=config)
    assert (said.text, said.usage_metadata.total_token_count) == ("hello", 120), said
    chat = client.chats.create(model="m", config=config)
    *_, called = chat.send_message_stream("Call")
    call = called.function_calls[0]
    assert (call.name, call.args, called.usage_metadata.prompt_token_count) == ("f", {"a": 1}, 100), called
    result = types.Part.from_function_response(name="f", response={"output": "x"})
    assert "".join(piece.text for piece in chat.send_message_stream([result])) == "done"
    try:
        client.models.generate_content(model="m", contents="No", config=config)
        raise AssertionError("429 is no error")
    except google.genai.errors.ClientError as error:
        assert error.code == 429, error
    assert client.models.count_tokens(model="m", contents="Hi").total_tokens == 100


CHECKS = {
    "anthropic_messages.py": check_anthropic,
    "openai_responses.py": check_openai_responses,
    "openai_completions.py": check_openai_completions,
    "gemini_content.py": check_gemini,
}
with tempfile.NamedTemporaryFile("w", suffix=".json") as script:
    json.dump(SCRIPT, script)
    script.flush()
    for program, check in CHECKS.items():
        with Fake(program, script.name) as url:
            check(url)
        print(f"{program}: its SDK takes it for its provider")
