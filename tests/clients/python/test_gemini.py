"""The Google Gen AI SDK, unmodified."""

import pytest
from google import genai
from google.genai import errors, types

import mesh


# A client closes its connections when nobody holds it any more.
_clients = []


def client(agent, **headers):
    options = types.HttpOptions(base_url=mesh.SIDECAR, headers=mesh.agent(agent, **headers), timeout=20_000)
    _clients.append(genai.Client(api_key="test", http_options=options))
    return _clients[-1]


WEATHER = types.FunctionDeclaration(
    name="weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}}
)


def test_a_prompt_is_redacted_before_it_leaves():
    config = types.GenerateContentConfig(system_instruction=f"Be kind to {mesh.EMAIL}.")
    answer = client("sdk-redact").models.generate_content(
        model="gemini-2.5-pro", contents=mesh.PRIVATE, config=config
    )
    assert answer.text == f"You said: {mesh.CLEAN}"
    assert answer.usage_metadata.total_token_count > 0
    assert "Be kind to [REDACTED]." in mesh.upstream_text()
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_streamed_answer_is_redacted_however_it_is_cut(size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é mail {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    stream = client("sdk-redact", **headers).models.generate_content_stream(
        model="gemini-2.5-pro", contents="tell me"
    )
    chunks = list(stream)
    assert "".join(chunk.text or "" for chunk in chunks) == "Her number: [REDACTED], é mail [REDACTED]."
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_a_functions_arguments_are_redacted():
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[WEATHER])])
    answer = client("sdk-redact").models.generate_content(
        model="gemini-2.5-pro", contents=f"call weather for {mesh.SSN}", config=config
    )
    [call] = answer.function_calls
    assert (call.name, call.args) == ("weather", {"city": "call weather for [REDACTED]"})


def test_a_function_that_is_not_allowed_is_refused():
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[WEATHER])])
    with pytest.raises(errors.ClientError) as refused:
        client("sdk-tools").models.generate_content(model="gemini-2.5-pro", contents="hello", config=config)
    assert (refused.value.code, refused.value.status) == (403, "PERMISSION_DENIED")
    assert mesh.upstream_requests() == []


def test_an_attack_is_refused_with_the_sdks_own_error():
    with pytest.raises(errors.ClientError) as refused:
        client("sdk-redact").models.generate_content(model="gemini-2.5-pro", contents=mesh.ATTACK)
    assert (refused.value.code, refused.value.status) == (403, "PERMISSION_DENIED")
    assert "injection" in refused.value.message
    with pytest.raises(errors.ClientError):
        list(client("sdk-redact").models.generate_content_stream(model="gemini-2.5-pro", contents=mesh.ATTACK))


def test_a_model_in_the_path_has_to_be_allowed():
    with pytest.raises(errors.ClientError) as refused:
        client("sdk-models").models.generate_content(model="gemini-2.5-pro", contents="hello")
    assert refused.value.code == 403
    answer = client("sdk-models").models.generate_content(model="allowed-1", contents="hello")
    assert answer.text == "You said: hello"


def test_a_block_in_mid_stream_is_the_sdks_own_error():
    headers = mesh.saying(f"First some words. Then {mesh.SSN} and much more.")
    stream = client("sdk-block", **headers).models.generate_content_stream(
        model="gemini-2.5-pro", contents="tell me"
    )
    text = ""
    with pytest.raises(errors.APIError) as refused:
        for chunk in stream:
            text += chunk.text or ""
    assert text.startswith("First") and "much" not in text
    assert refused.value.status == "PERMISSION_DENIED"


def test_limits_are_the_sdks_own_error():
    limited = client("sdk-limited-gemini")
    limited.models.generate_content(model="gemini-2.5-pro", contents="one")
    with pytest.raises(errors.ClientError) as refused:
        limited.models.generate_content(model="gemini-2.5-pro", contents="two")
    assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_tokens_are_counted_and_texts_embedded():
    assert client("sdk-redact").models.count_tokens(model="gemini-2.5-pro", contents="a b c").total_tokens == 3
    embedded = client("sdk-redact").models.embed_content(model="gemini-embedding-001", contents=mesh.PRIVATE)
    assert embedded.embeddings[0].values
    mesh.no_personal_data(mesh.upstream_text())
