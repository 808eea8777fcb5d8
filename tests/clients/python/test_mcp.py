"""The MCP SDK, unmodified, in both revisions that it speaks: with a session (`legacy`) and stateless (`auto`)."""

import asyncio
import contextlib

import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

import mesh

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


@contextlib.asynccontextmanager
async def session(agent, mode):
    async with create_mcp_http_client(headers=mesh.agent(agent)) as http:
        transport = streamable_http_client(f"{mesh.SIDECAR}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def run(agent, mode, work):
    async def go():
        async with session(agent, mode) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(go(), 30))


def text(result):
    return "\n".join(part.text for part in result.content)


@MODES
def test_tools_are_listed_and_called(mode):
    async def work(client):
        names = [tool.name for tool in (await client.list_tools()).tools]
        return names, text(await client.call_tool("echo", {"text": "hello"}))

    names, said = run("sdk-redact", mode, work)
    assert names == ["echo", "search", "lookup_customer"]
    assert said == "hello"


@MODES
def test_arguments_are_redacted_before_they_leave(mode):
    said = run("sdk-redact", mode, lambda client: client.call_tool("echo", {"text": mesh.PRIVATE}))
    assert text(said) == mesh.CLEAN
    mesh.no_personal_data(mesh.upstream_text())


@MODES
def test_results_are_redacted_in_content_and_in_structured_content(mode):
    async def work(client):
        await client.list_tools()
        return await client.call_tool("lookup_customer", {"customer_id": "c1"})

    result = run("sdk-redact", mode, work)
    assert result.structured_content["name"]
    mesh.no_personal_data(text(result))
    mesh.no_personal_data(str(result.structured_content))


@MODES
def test_resources_and_prompts(mode):
    async def work(client):
        assert len((await client.list_resources()).resources) == 2
        assert len((await client.list_prompts()).prompts) == 1
        customer = await client.read_resource("mock://customer")
        prompt = await client.get_prompt("summarise", {"text": mesh.PRIVATE})
        return customer.contents[0].text, prompt.messages[0].content.text

    customer, prompt = run("sdk-redact", mode, work)
    mesh.no_personal_data(customer)
    assert prompt == f"Summarise this: {mesh.CLEAN}"
    mesh.no_personal_data(mesh.upstream_text())


@MODES
def test_a_tool_that_is_not_allowed_is_hidden_and_an_error(mode):
    async def work(client):
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert text(await client.call_tool("search", {"query": "x"}))
        mesh.forget()
        with pytest.raises(MCPError) as caught:
            await client.call_tool("lookup_customer", {"customer_id": "c1"})
        return names, caught.value

    names, error = run("sdk-tools", mode, work)
    assert names == ["echo", "search"]
    assert error.error.message
    assert "lookup_customer" not in mesh.upstream_text()


@MODES
def test_an_injection_is_an_error_and_the_session_goes_on(mode):
    async def work(client):
        with pytest.raises(MCPError):
            await client.call_tool("echo", {"text": mesh.ATTACK})
        return text(await client.call_tool("echo", {"text": "still here"}))

    assert run("sdk-redact", mode, work) == "still here"


@MODES
def test_errors_of_the_server_stay_what_they_are(mode):
    async def work(client):
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("nobody", {})
        return caught.value.error.code

    assert run("sdk-redact", mode, work) == -32602
