"""The OpenAI SDK, unmodified."""

import json

import openai
import pytest

import mesh


def client(agent, **headers):
    return openai.OpenAI(
        base_url=f"{mesh.SIDECAR}/v1",
        api_key="sk-test",
        max_retries=0,
        timeout=20,
        default_headers=mesh.agent(agent, **headers),
    )


def said(text):
    return [{"role": "user", "content": text}]


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]


def test_chat_is_redacted_before_it_leaves():
    answer = client("sdk-redact").chat.completions.create(model="gpt-4o", messages=said(mesh.PRIVATE))
    assert answer.choices[0].message.content == f"You said: {mesh.CLEAN}"
    assert answer.usage.total_tokens > 0
    assert mesh.CLEAN in mesh.upstream_text()
    mesh.no_personal_data(mesh.upstream_text())


def test_what_has_nothing_private_passes_unchanged():
    answer = client("sdk-redact").chat.completions.with_raw_response.create(model="gpt-4o", messages=said("hello"))
    assert answer.headers["x-ai-mesh-decision"] == "allow"
    assert "pii=ran" in answer.headers["x-ai-mesh-guards"]
    assert answer.parse().choices[0].message.content == "You said: hello"


@pytest.mark.parametrize("choices", [1, 2])
def test_chat_streams(choices):
    stream = client("sdk-redact").chat.completions.create(
        model="gpt-4o",
        messages=said(mesh.PRIVATE),
        stream=True,
        n=choices,
        stream_options={"include_usage": True},
    )
    text, usage = [""] * choices, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text[choice.index] += choice.delta.content or ""
    assert text == [f"You said: {mesh.CLEAN}"] * choices
    assert usage.total_tokens > 0


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_a_streamed_answer_is_redacted_however_it_is_cut(size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é mail {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    stream = client("sdk-redact", **headers).chat.completions.create(
        model="gpt-4o", messages=said("tell me"), stream=True
    )
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text == "Her number: [REDACTED], é mail [REDACTED]."


def test_an_answer_is_redacted():
    headers = mesh.saying(f"Her number is {mesh.SSN}")
    answer = client("sdk-redact", **headers).chat.completions.create(model="gpt-4o", messages=said("tell me"))
    assert answer.choices[0].message.content == "Her number is [REDACTED]"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_arguments_redacted(stream):
    request = dict(model="gpt-4o", messages=said("call weather for me"), tools=CHAT_TOOLS)
    with_secret = client("sdk-redact", **mesh.saying(f"city of {mesh.SSN}"))
    if stream:
        with with_secret.chat.completions.stream(**request) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = with_secret.chat.completions.create(**request).choices[0].message
    call = message.tool_calls[0]
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "city of [REDACTED]"}


def test_tool_results_are_redacted_before_they_leave():
    messages = said("call weather") + [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": mesh.PRIVATE},
    ]
    answer = client("sdk-redact").chat.completions.create(model="gpt-4o", messages=messages, tools=CHAT_TOOLS)
    assert answer.choices[0].message.content == f"The tool answered: {mesh.CLEAN}"
    mesh.no_personal_data(mesh.upstream_text())


def test_responses():
    answer = client("sdk-redact").responses.create(model="gpt-4o", input=mesh.PRIVATE)
    assert answer.output_text == f"You said: {mesh.CLEAN}"
    mesh.no_personal_data(mesh.upstream_text())


def test_responses_stream():
    headers = mesh.saying(f"Her number: {mesh.SSN}.")
    with client("sdk-redact", **headers).responses.stream(model="gpt-4o", input="tell me") as events:
        kinds = [event.type for event in events]
        final = events.get_final_response()
    assert final.output_text == "Her number: [REDACTED]."
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"


def test_embeddings():
    answer = client("sdk-redact").embeddings.create(model="text-embedding-3-small", input=[mesh.PRIVATE, "hello"])
    assert [len(item.embedding) for item in answer.data] == [8, 8]
    mesh.no_personal_data(mesh.upstream_text())


def test_models():
    assert "gpt-4o" in [model.id for model in client("sdk-redact").models.list()]


@pytest.mark.parametrize("stream", [False, True])
def test_an_injection_is_a_permission_error(stream):
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client("sdk-redact").chat.completions.create(model="gpt-4o", messages=said(mesh.ATTACK), stream=stream)
    assert caught.value.status_code == 403
    assert caught.value.response.headers["x-ai-mesh-decision"] == "deny"
    assert caught.value.body["message"]
    assert mesh.upstream_requests() == []


def test_a_rule_in_rego_is_a_permission_error():
    with pytest.raises(openai.PermissionDeniedError):
        client("sdk-rego").responses.create(model="gpt-4o", input="tell me about project Zeus")
    assert client("sdk-rego").responses.create(model="gpt-4o", input="hello").output_text == "You said: hello"


def test_a_tool_that_is_not_allowed_is_a_permission_error():
    with pytest.raises(openai.PermissionDeniedError):
        client("sdk-tools").chat.completions.create(model="gpt-4o", messages=said("hi"), tools=CHAT_TOOLS)


def test_the_limit_is_a_rate_limit_error():
    limited = client("sdk-limited-openai")
    limited.chat.completions.create(model="gpt-4o", messages=said("one"))
    with pytest.raises(openai.RateLimitError) as caught:
        limited.chat.completions.create(model="gpt-4o", messages=said("two"))
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60


def test_errors_of_the_upstream_stay_what_they_are():
    with pytest.raises(openai.BadRequestError):
        client("sdk-redact").chat.completions.create(model="gpt-4o", messages=[])
    with pytest.raises(openai.NotFoundError):
        client("sdk-redact").chat.completions.create(model="does-not-exist", messages=said("hi"))
    with pytest.raises(openai.InternalServerError):
        client("sdk-redact", **{"x-mock-status": "503"}).chat.completions.create(model="gpt-4o", messages=said("hi"))


def test_on_azure_the_deployment_is_the_model():
    azure = openai.AzureOpenAI(
        azure_endpoint=mesh.SIDECAR,
        api_version="2024-10-21",
        api_key="test",
        max_retries=0,
        timeout=20,
        default_headers=mesh.agent("sdk-models"),
    )
    answer = azure.chat.completions.create(model="allowed-1", messages=said("hello"))
    assert answer.choices[0].message.content == "You said: hello"
    assert mesh.upstream_requests()[-1]["path"].startswith("/openai/deployments/allowed-1/")
    with pytest.raises(openai.PermissionDeniedError):
        azure.chat.completions.create(model="gpt-4o", messages=said("hello"))
    # What the body says in its stead does not help.
    with pytest.raises(openai.PermissionDeniedError):
        azure.post(
            "/deployments/gpt-4o/chat/completions",
            body={"model": "allowed-1", "messages": said("hello")},
            cast_to=object,
        )
