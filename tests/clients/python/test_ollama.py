"""The Ollama SDK, unmodified."""

import ollama
import pytest

import mesh


def client(agent, **headers):
    return ollama.Client(host=mesh.SIDECAR, headers=mesh.agent(agent, **headers), timeout=20)


def said(text):
    return [{"role": "user", "content": text}]


def test_chat_is_redacted_before_it_leaves():
    answer = client("sdk-redact").chat(model="llama3.2", messages=said(mesh.PRIVATE))
    assert answer.message.content == f"You said: {mesh.CLEAN}"
    assert answer.eval_count > 0
    mesh.no_personal_data(mesh.upstream_text())


def test_generate_and_embed_are_redacted_before_they_leave():
    answer = client("sdk-redact").generate(model="llama3.2", prompt=mesh.PRIVATE, system=mesh.EMAIL)
    assert answer.response == f"You said: {mesh.CLEAN}"
    client("sdk-redact").embed(model="llama3.2", input=[mesh.PRIVATE])
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
@pytest.mark.parametrize("way", ["chat", "generate"])
def test_a_streamed_answer_is_redacted_however_it_is_cut(way, size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é mail {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    if way == "chat":
        stream = client("sdk-redact", **headers).chat(model="llama3.2", messages=said("tell me"), stream=True)
        pieces = [(part.message.content, part.done) for part in stream]
    else:
        stream = client("sdk-redact", **headers).generate(model="llama3.2", prompt="tell me", stream=True)
        pieces = [(part.response, part.done) for part in stream]
    assert "".join(text for text, _ in pieces) == "Her number: [REDACTED], é mail [REDACTED]."
    assert pieces[-1][1] is True


def test_an_attack_is_refused_with_the_sdks_own_error():
    with pytest.raises(ollama.ResponseError) as refused:
        client("sdk-redact").chat(model="llama3.2", messages=said(mesh.ATTACK))
    assert refused.value.status_code == 403
    assert "injection" in refused.value.error
    assert mesh.upstream_requests() == []


def test_a_block_in_mid_stream_is_the_sdks_own_error():
    headers = mesh.saying(f"First some words. Then {mesh.SSN} and much more.")
    text = ""
    with pytest.raises(ollama.ResponseError) as refused:
        for part in client("sdk-block", **headers).chat(model="m", messages=said("tell me"), stream=True):
            text += part.message.content
    assert text.startswith("First") and "much" not in text
    assert "US_SSN" in refused.value.error


def test_a_model_has_to_be_allowed():
    with pytest.raises(ollama.ResponseError) as refused:
        client("sdk-models").chat(model="llama3.2", messages=said("hello"))
    assert refused.value.status_code == 403
    assert client("sdk-models").chat(model="allowed-1", messages=said("hello")).message.content
