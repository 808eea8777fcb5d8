"""The AWS SDK, unmodified. It signs its requests, which the mock does not check; for Amazon itself see docs/protocols.md."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

import mesh

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"


def client(agent, **headers):
    made = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=mesh.SIDECAR,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
    )

    def identify(request, **_):
        for name, value in mesh.agent(agent, **headers).items():
            request.headers[name] = value

    made.meta.events.register("before-send.bedrock-runtime", identify)
    return made


def said(text):
    return [{"role": "user", "content": [{"text": text}]}]


TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "weather",
                "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
            }
        }
    ]
}


def streamed(answer):
    """The text of a stream, its tool's arguments, and why it stopped."""
    text, arguments, stop = "", "", None
    for event in answer["stream"]:
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        text += delta.get("text", "")
        arguments += delta.get("toolUse", {}).get("input", "")
        stop = event.get("messageStop", {}).get("stopReason", stop)
    return text, arguments, stop


def test_a_conversation_is_redacted_before_it_leaves():
    answer = client("sdk-redact").converse(
        modelId=MODEL, messages=said(mesh.PRIVATE), system=[{"text": f"Be kind to {mesh.EMAIL}."}]
    )
    assert answer["output"]["message"]["content"][0]["text"] == f"You said: {mesh.CLEAN}"
    assert answer["usage"]["totalTokens"] > 0
    assert "Be kind to [REDACTED]." in mesh.upstream_text()
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_streamed_answer_is_redacted_however_it_is_cut(size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é mail {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    answer = client("sdk-redact", **headers).converse_stream(modelId=MODEL, messages=said("tell me"))
    assert streamed(answer) == ("Her number: [REDACTED], é mail [REDACTED].", "", "end_turn")


def test_a_tools_streamed_arguments_are_redacted():
    headers = mesh.saying(f"in {mesh.SSN}")
    answer = client("sdk-redact", **headers).converse_stream(
        modelId=MODEL, messages=said("call weather"), toolConfig=TOOLS
    )
    assert streamed(answer) == ("", '{"city":"in [REDACTED]"}', "tool_use")


def test_an_attack_is_refused_with_the_sdks_own_error():
    with pytest.raises(ClientError) as refused:
        client("sdk-redact").converse(modelId=MODEL, messages=said(mesh.ATTACK))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "injection" in refused.value.response["Error"]["Message"]
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError):
        client("sdk-redact").converse_stream(modelId=MODEL, messages=said(mesh.ATTACK))
    assert mesh.upstream_requests() == []


def test_a_block_in_mid_stream_is_the_sdks_own_error():
    headers = mesh.saying(f"First some words. Then {mesh.SSN} and much more.")
    answer = client("sdk-block", **headers).converse_stream(modelId=MODEL, messages=said("tell me"))
    text = ""
    with pytest.raises(EventStreamError) as refused:
        for event in answer["stream"]:
            text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    assert text.startswith("First") and "much" not in text
    assert "US_SSN" in str(refused.value)


def test_a_model_in_the_path_has_to_be_allowed():
    with pytest.raises(ClientError) as refused:
        client("sdk-models").converse(modelId=MODEL, messages=said("hello"))
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    allowed = client("sdk-models").converse(modelId="allowed:1", messages=said("hello"))
    assert allowed["output"]["message"]["content"][0]["text"] == "You said: hello"


def test_limits_are_the_sdks_own_error():
    limited = client("sdk-limited-bedrock")
    limited.converse(modelId=MODEL, messages=said("one"))
    with pytest.raises(ClientError) as refused:
        limited.converse(modelId=MODEL, messages=said("two"))
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
