"""The A2A SDK, unmodified, which speaks version 1.0; version 0.3 as its clients write it."""

import asyncio
import json
import urllib.request

import httpx
import pytest
from a2a.client import A2AClientError, ClientConfig, create_client
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Message, Part, Role, SendMessageRequest

import mesh


# A card of the upstream's own names the upstream's own address, which is not the sidecar's.
CARD = AgentCard(
    name="Mock agent",
    supported_interfaces=[
        AgentInterface(url=f"{mesh.SIDECAR}/a2a", protocol_binding="JSONRPC", protocol_version="1.0")
    ],
    capabilities=AgentCapabilities(streaming=True),
)


def ask(agent, text, streaming, **headers):
    """All that a remote agent answers, in messages and artifacts."""

    async def run():
        async with httpx.AsyncClient(headers=mesh.agent(agent, **headers), timeout=20) as http:
            client = await create_client(CARD, ClientConfig(streaming=streaming, httpx_client=http))
            message = Message(message_id="msg_1", role=Role.ROLE_USER, parts=[Part(text=text)])
            said = ""
            async for event in client.send_message(SendMessageRequest(message=message)):
                for parts in (event.message.parts, event.artifact_update.artifact.parts):
                    said += "".join(part.text for part in parts)
            return said

    return asyncio.run(run())


@pytest.mark.parametrize("streaming", [False, True])
def test_a_message_is_redacted_before_it_leaves(streaming):
    assert ask("sdk-redact", mesh.PRIVATE, streaming) == f"You said: {mesh.CLEAN}"
    mesh.no_personal_data(mesh.upstream_text())


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_streamed_artifact_is_redacted_however_it_is_cut(size):
    headers = {**mesh.saying(f"Her number: {mesh.SSN}, é at {mesh.EMAIL}."), "x-mock-chunk-bytes": str(size)}
    assert ask("sdk-redact", "tell me", True, **headers) == "Her number: [REDACTED], é at [REDACTED]."


@pytest.mark.parametrize("streaming", [False, True])
def test_an_attack_is_refused_with_the_sdks_own_error(streaming):
    with pytest.raises(A2AClientError, match="injection"):
        ask("sdk-redact", mesh.ATTACK, streaming)
    assert mesh.upstream_requests() == []


@pytest.mark.parametrize("streaming", [False, True])
def test_what_another_agent_says_is_searched_for_attacks(streaming):
    with pytest.raises(A2AClientError, match="injection"):
        ask("sdk-redact", "tell me", streaming, **mesh.saying(mesh.ATTACK))


def test_a_block_in_mid_stream_is_the_sdks_own_error():
    headers = mesh.saying(f"First some words. Then {mesh.SSN} and much more.")
    with pytest.raises(A2AClientError, match="US_SSN"):
        ask("sdk-block", "tell me", True, **headers)


@pytest.mark.parametrize("method", ["message/send", "message/stream"])
def test_version_0_3_is_read_too(method):
    message = {"kind": "message", "role": "user", "messageId": "m", "parts": [{"kind": "text", "text": mesh.PRIVATE}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}
    headers = {"content-type": "application/json", **mesh.agent("sdk-redact")}
    request = urllib.request.Request(f"{mesh.SIDECAR}/a2a", json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        text = answer.read().decode()
    assert "REDACTED" in text
    mesh.no_personal_data(text)
    mesh.no_personal_data(mesh.upstream_text())


def test_an_agents_card_is_inspected():
    url = f"{mesh.SIDECAR}/.well-known/agent-card.json"
    request = urllib.request.Request(url, headers=mesh.agent("sdk-redact"))
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        assert "pii=ran" in answer.headers["x-ai-mesh-guards"]
        assert "injection=ran" in answer.headers["x-ai-mesh-guards"]
        assert json.load(answer)["name"] == "Mock agent"
