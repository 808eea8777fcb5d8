"""The Anthropic SDK, unmodified."""

import anthropic
import pytest

import mesh


def client(agent, **headers):
    return anthropic.Anthropic(
        base_url=mesh.SIDECAR,
        api_key="sk-test",
        max_retries=0,
        timeout=20,
        default_headers=mesh.agent(agent, **headers),
    )


def ask(text, **more):
    return dict(model="claude-opus-test", max_tokens=64, messages=[{"role": "user", "content": text}], **more)


WEATHER = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def test_a_message_is_redacted_before_it_leaves():
    answer = client("sdk-redact").messages.create(**ask(mesh.PRIVATE, system=f"the user is {mesh.EMAIL}"))
    assert answer.content[0].text == f"You said: {mesh.CLEAN}"
    assert answer.usage.output_tokens > 0
    mesh.no_personal_data(mesh.upstream_text())


def test_blocks_are_redacted_before_they_leave():
    blocks = [{"type": "text", "text": "hello"}, {"type": "text", "text": mesh.PRIVATE}]
    client("sdk-redact").messages.create(**ask(blocks))
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_a_streamed_answer_is_redacted_however_it_is_cut(size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é mail {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    with client("sdk-redact", **headers).messages.stream(**ask("tell me")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == "Her number: [REDACTED], é mail [REDACTED]."
    assert final.stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_their_arguments_redacted(stream):
    request = ask("call weather for me", tools=[WEATHER])
    with_secret = client("sdk-redact", **mesh.saying(f"city of {mesh.SSN}"))
    if stream:
        with with_secret.messages.stream(**request) as events:
            message = events.get_final_message()
    else:
        message = with_secret.messages.create(**request)
    assert message.stop_reason == "tool_use"
    assert (message.content[0].name, message.content[0].input) == ("weather", {"city": "city of [REDACTED]"})


def test_tool_results_are_redacted_before_they_leave():
    messages = [
        {"role": "user", "content": "call weather"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": mesh.PRIVATE}]},
    ]
    request = {**ask(""), "messages": messages, "tools": [WEATHER]}
    answer = client("sdk-redact").messages.create(**request)
    assert answer.content[0].text == f"The tool answered: {mesh.CLEAN}"
    mesh.no_personal_data(mesh.upstream_text())


def test_counting_tokens():
    request = {key: value for key, value in ask(mesh.PRIVATE).items() if key != "max_tokens"}
    assert client("sdk-redact").messages.count_tokens(**request).input_tokens > 0
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("stream", [False, True])
def test_an_injection_is_a_permission_error(stream):
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        client("sdk-redact").messages.create(**ask(mesh.ATTACK, stream=stream))
    assert caught.value.body["error"]["type"] == "permission_error"
    assert mesh.upstream_requests() == []


def test_the_limit_is_a_rate_limit_error():
    limited = client("sdk-limited-anthropic")
    limited.messages.create(**ask("one"))
    with pytest.raises(anthropic.RateLimitError) as caught:
        limited.messages.create(**ask("two"))
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60


def test_errors_of_the_upstream_stay_what_they_are():
    with pytest.raises(anthropic.NotFoundError):
        client("sdk-redact").messages.create(**{**ask("hi"), "model": "does-not-exist"})
    with pytest.raises(anthropic.BadRequestError):
        client("sdk-redact").messages.create(**{**ask("hi"), "messages": []})
