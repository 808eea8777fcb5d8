//! Models: all that a request asks for, wherever it names them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{RequestHead, Session, Step};
use serde_json::{Value, json};

use crate::support::{bundle, compiled, passes, post, sent};

const CHAT: &str = "/v1/chat/completions";

const BATCHES: &str = "/v1/messages/batches";

const GEMINI: &str = "/v1beta/models/m:generateContent";

#[test]
fn models_are_seen_wherever_a_request_names_them() {
    let allow = || json!({ "rules": [{ "models": { "allow": ["m"] } }] });
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let batched = |name: &str, value: Value| {
        let mut params = json!({ "model": "m", "max_tokens": 1, "messages": messages });
        params[name] = value;
        json!({ "requests": [{ "custom_id": "1", "params": params }] })
    };
    let advisor = |model: &str| json!([{ "type": "advisor_20260301", "name": "advisor", "model": model }]);
    for (path, body, fine) in [
        (BATCHES, batched("tools", advisor("evil")), false),
        (BATCHES, batched("tools", advisor("m")), true),
        (BATCHES, batched("fallbacks", json!([{ "model": "evil" }])), false),
        (BATCHES, batched("fallbacks", json!([{ "model": "m" }])), true),
        (CHAT, json!({ "model": "m", "messages": messages, "models": ["m"] }), true),
        (CHAT, json!({ "model": "m", "messages": messages, "models": ["m", "evil"] }), false),
        (CHAT, json!({ "model": "m", "messages": messages, "models": "evil" }), false),
        (CHAT, json!({ "model": "m", "messages": messages, "fallbacks": [{ "model": "evil" }] }), false),
        ("/v1/realtime/client_secrets", json!({ "session": { "model": "evil" } }), false),
        ("/async-invoke", json!({ "modelId": "evil", "modelInput": {} }), false),
        (
            "/v1beta/models/m:batchGenerateContent",
            json!({ "batch": { "inputConfig": { "requests": { "requests": [{ "request": { "model": "evil" } }] } } } }),
            false,
        ),
        (CHAT, json!({ "model": "m,evil", "messages": messages }), false),
        (CHAT, json!({ "model": vec!["m"; 65].join(","), "messages": messages }), false),
        (CHAT, json!({ "model": "m", "messages": messages, "fallbacks": [{ "m": ["evil"] }] }), false),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "fallbacks": [{ "m": [{ "model": "evil" }] }] }),
            false,
        ),
        (CHAT, json!({ "model": "m", "messages": messages, "fallbacks": [{ "m": ["m"] }, "m"] }), true),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "fallbacks": [{ "model": "m", "api_key": "k" }] }),
            true,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "context_window_fallbacks": [{ "m": ["evil"] }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "content_policy_fallbacks": [{ "m": ["evil"] }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "context_window_fallback_dict": { "m": "evil" } }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "user_config": { "model_list": [{ "model_name": "m", "litellm_params": { "model": "evil" } }] } }),
            false,
        ),
        ("/v1/chat/completions?model=evil", json!({ "model": "m", "messages": messages }), false),
        ("/v1/chat/completions?model=m", json!({ "messages": messages }), true),
        ("/orders?model=golf", json!({ "colour": "red" }), true),
        ("/engines/evil/chat/completions", json!({ "model": "m", "messages": messages }), false),
        ("/engines/llama.cpp/v1/chat/completions", json!({ "model": "m", "messages": messages }), true),
        ("/openai/deployments/m/evil/chat/completions", json!({ "model": "m", "messages": messages }), false),
        ("/v1beta/models/m/evil:generateContent", json!({ "contents": [] }), false),
        ("/serving-endpoints/evil/invocations", json!({ "model": "m", "messages": messages }), false),
        ("/serving-endpoints/m/invocations", json!({ "messages": messages }), true),
        ("/models/evil/v1/chat/completions", json!({ "model": "m", "messages": messages }), false),
        ("/models/m/v1/chat/completions", json!({ "model": "m", "messages": messages }), true),
        ("/models/v1/chat/completions", json!({ "model": "m", "messages": messages }), true),
        ("/client/v4/accounts/x/ai/run/@cf/meta/evil", json!({ "model": "m", "messages": messages }), false),
        ("/v1/models/o/evil/predictions", json!({ "input": { "prompt": "hi" } }), false),
        ("/weather/predictions", json!({ "input": { "place": "Oslo" } }), true),
        ("/v1/evals/e/runs", json!({ "data_source": { "type": "completions", "model": "evil" } }), false),
        ("/v1/evals", json!({ "testing_criteria": [{ "type": "label_model", "model": "evil" }] }), false),
        (
            "/v1/fine_tuning/jobs",
            json!({ "model": "m", "method": { "type": "reinforcement", "reinforcement": {
                "grader": { "type": "multi", "graders": { "a": { "type": "score_model", "model": "evil" } } } } } }),
            false,
        ),
        (
            "/retrieveAndGenerate",
            json!({ "retrieveAndGenerateConfiguration": { "knowledgeBaseConfiguration": { "modelArn": "evil" } } }),
            false,
        ),
        ("/agents/a/sessions/1", json!({ "foundationModel": "evil", "inputText": "x" }), false),
        ("/v1/agents", json!({ "model": { "id": "evil", "speed": "fast" } }), false),
        (
            "/harnesses/invoke?harnessArn=a",
            json!({ "messages": messages, "model": { "bedrockModelConfig": { "modelId": "evil" } } }),
            false,
        ),
        (
            "/harnesses/invoke?harnessArn=a",
            json!({ "messages": messages, "model": { "openAiModelConfig": { "modelId": "m" } } }),
            true,
        ),
        (
            "/agenticRetrieveStream",
            json!({ "messages": messages, "agenticRetrieveConfiguration": { "foundationModelConfiguration": {
                "bedrockFoundationModelConfiguration": { "modelConfiguration": { "modelArn": "evil" } } } } }),
            false,
        ),
        (
            "/agents/a/agentAliases/b/sessions/c/text",
            json!({ "sessionState": { "knowledgeBaseConfigurations": [{ "retrievalConfiguration": {
                "vectorSearchConfiguration": { "implicitFilterConfiguration": { "modelArn": "evil" } } } }] } }),
            false,
        ),
        (
            "/api/projects/p/agents/a/versions",
            json!({ "definition": { "kind": "prompt", "model": "evil" } }),
            false,
        ),
        (
            "/api/projects/p/agents/a/versions",
            json!({ "definition": { "kind": "prompt", "model": "m" } }),
            true,
        ),
        (
            "/v1/account/gateway",
            json!([{ "provider": "openai", "endpoint": "chat/completions", "query": { "messages": [], "model": "m" } },
                { "provider": "openai", "endpoint": "chat/completions", "query": { "messages": [], "model": "evil" } }]),
            false,
        ),
        ("/search", json!([{ "query": { "model": "evil" } }]), true),
        // Messages of a queue ask no model.
        ("/v1/projects/p/topics/t:publish", json!({ "messages": [{ "data": "aGk=" }] }), true),
        ("/ask", json!({ "messages": [{ "data": "aGk=" }], "model": "evil" }), false),
        ("/sms", json!({ "messages": [{ "to": "+1", "from": "shop", "text": "hi", "type": "text" }] }), true),
        ("/ask", json!({ "messages": messages }), false),
        ("/ask", json!({ "messages": [{ "type": "human", "content": "hi", "to": "x" }] }), false),
        ("/ask", json!({ "messages": [{ "content": "hi" }] }), false),
        ("/ask", json!({ "messages": [{ "Role": "user", "content": "hi", "to": "x" }] }), false),
        ("/ask", json!({ "messages": [{ "data": "hi" }], "llm": "evil" }), false),
        ("/ask", json!({ "messages": [{ "data": "hi" }], "Model": "evil" }), false),
        // What is no request to a model.
        ("/items", json!({ "model": { "hardware": { "modelId": "X1000" } }, "serial": "1" }), true),
        ("/words", json!({ "word": "model", "definition": { "model": "a representation" } }), true),
        ("/ship", json!([{ "provider": "post", "endpoint": "/ship", "query": { "model": "van" } }]), true),
        (
            "/v1/batches/b/requests",
            json!({ "batch_requests": [{ "batch_request": { "chat_get_completion": { "model": "evil" } } }] }),
            false,
        ),
        ("/v1/agents", json!({ "model": { "id": "m", "speed": "fast" } }), true),
        ("/v1/sessions", json!({ "agent": { "id": "agent_1", "model": { "id": "evil" } } }), false),
        (
            "/v1/agents",
            json!({ "model": "m", "multiagent": { "agents": [{ "type": "advisor", "model": "evil" }] } }),
            false,
        ),
        (
            "/v1/live/sessions",
            json!({ "session": { "model": "m", "delegation": { "responses": { "model": "evil" } } } }),
            false,
        ),
        ("/v1/agents/automations", json!({ "target": { "agent": { "model": "evil" } } }), false),
        (
            "/v1/responses",
            json!({ "model": "m", "input": "x", "tools": [{ "type": "image_generation", "model": "evil" }] }),
            false,
        ),
        (
            "/v1/responses",
            json!({ "model": "m", "input": "x", "tools": [{ "type": "image_generation", "model": "m" }] }),
            true,
        ),
        (
            "/v1/messages",
            json!({ "model": "m", "max_tokens": 1, "messages": messages, "tools": [{ "type": "advisor_20260301", "name": "advisor", "model": "evil" }] }),
            false,
        ),
        (
            GEMINI,
            json!({ "contents": [], "generationConfig": { "routingConfig": { "manualMode": { "modelName": "evil" } } } }),
            false,
        ),
        (
            GEMINI,
            json!({ "contents": [], "generation_config": { "routing_config": { "manual_mode": { "model_name": "evil" } } } }),
            false,
        ),
        (
            GEMINI,
            json!({ "contents": [], "generationConfig": { "routingConfig": { "manualMode": { "modelName": "m" } } } }),
            true,
        ),
        ("/v1alpha/auth_tokens", json!({ "bidiGenerateContentSetup": { "model": "models/evil" } }), false),
        ("/v1alpha/auth_tokens", json!({ "bidiGenerateContentSetup": { "model": "models/m" } }), true),
        (
            "/v1beta/interactions",
            json!({ "agent": "a", "agent_config": { "model": "evil" }, "input": "x" }),
            false,
        ),
        (
            "/agents/a",
            json!({ "foundationModel": "m", "promptOverrideConfiguration": { "promptConfigurations": [{ "foundationModel": "evil" }] } }),
            false,
        ),
        (
            "/retrieveAndGenerate",
            json!({ "retrieveAndGenerateConfiguration": { "knowledgeBaseConfiguration": { "modelArn": "m",
                "retrievalConfiguration": { "vectorSearchConfiguration": { "implicitFilterConfiguration": { "modelArn": "evil" } } } } } }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "router_settings_override": { "fallbacks": [{ "m": ["evil"] }] } }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "router_settings_override": { "fallbacks": [{ "m": ["m"] }], "num_retries": 2 } }),
            true,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "fallbacks": [{ "m": [{ "model": "m", "fallbacks": [{ "m": ["evil"] }] }] }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "fallbacks": [{ "m": [{ "context_window_fallbacks": [{ "m": [{ "model": "evil" }] }] }] }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "fallbacks": [{ "model": "m", "fallbacks": [{ "model": "m", "fallbacks": ["evil"] }] }] }),
            false,
        ),
        (CHAT, json!({ "model": "m", "messages": messages, "fallbacks": [{ "agents": ["evil"] }] }), false),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "fallbacks": [{ "m": [{ "model": "m", "stop": ["evil"],
                "messages": [{ "role": "user", "id": "x", "content": "hi" }], "fallbacks": ["m"] }] }] }),
            true,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "providerOptions": { "gateway": { "models": ["evil"] } } }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "providerOptions": { "gateway": { "models": ["m"], "order": ["bedrock"] }, "openai": { "user": "a" } } }),
            true,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "compound_custom": { "models": { "answering_model": "evil" } } }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "compound_custom": { "models": { "answering_model": "m", "reasoning_model": "m" }, "tools": { "enabled_tools": ["web_search"] } } }),
            true,
        ),
        (
            "/ml/v1/text/chat",
            json!({ "model_id": "evil", "project_id": "p", "messages": messages, "model": "m" }),
            false,
        ),
        ("/ml/v1/text/chat", json!({ "model_id": "m", "project_id": "p", "messages": messages }), true),
        ("/ml/v1/text/generation", json!({ "model_id": "evil", "input": "hi" }), false),
        (
            "/20231130/actions/chat",
            json!({ "compartmentId": "c", "servingMode": { "servingType": "ON_DEMAND", "modelId": "evil" }, "chatRequest": { "messages": messages } }),
            false,
        ),
        (
            "/20231130/actions/chat",
            json!({ "compartmentId": "c", "servingMode": { "servingType": "ON_DEMAND", "modelId": "m" }, "chatRequest": { "messages": messages } }),
            true,
        ),
        ("/v1beta/interactions", json!({ "agent": "evil", "input": "x" }), false),
        ("/v1beta/interactions", json!({ "agent": "m", "input": "x" }), true),
        ("/customers/c/interactions", json!({ "agent": "Ann", "input": "phone" }), true),
        ("/api/create", json!({ "model": "m", "from": "evil" }), false),
        ("/api/create", json!({ "colour": "red", "from": "2026-01-01" }), true),
        ("/api/copy", json!({ "source": "evil", "destination": "m" }), false),
        ("/files/copy", json!({ "source": "a", "destination": "b" }), true),
        ("/api/pull", json!({ "name": "evil" }), false),
        ("/api/show", json!({ "name": "m" }), true),
        ("/shows/show", json!({ "name": "evil" }), true),
        ("/v1/predictions", json!({ "version": "o/evil:1", "input": { "prompt": "hi" } }), false),
        ("/v1/predictions", json!({ "version": "m", "input": { "prompt": "hi" } }), true),
        ("/v1/predictions", json!({ "version": 2, "place": "Oslo" }), true),
        ("/v1/deployments/o/evil/predictions", json!({ "input": { "prompt": "hi" } }), false),
        ("/endpoints/evil/invocations", json!({ "inputs": "hi", "model": "m" }), false),
        ("/endpoints/m/invocations-response-stream", json!({ "inputs": "hi" }), true),
        (
            "/v1/projects/p/locations/l/endpoints/evil/chat/completions",
            json!({ "model": "m", "messages": messages }),
            false,
        ),
        (
            "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
            json!({ "model": "m", "messages": messages }),
            true,
        ),
        ("/v2/models/evil/generate_stream", json!({ "text_input": "hi" }), false),
        ("/v2/models/m/versions/1/infer", json!({ "inputs": [] }), true),
        ("/v2/models/m/versions/1/notes", json!({ "inputs": [] }), true),
        ("/v1/inference/o/evil", json!({ "input": "hi" }), false),
        ("/hf-inference/models/o/evil/pipeline/feature-extraction", json!({ "inputs": "hi" }), false),
        ("/hf-inference/models/m", json!({ "inputs": "hi" }), true),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "plugins": [{ "id": "fusion", "model": "evil" }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "plugins": [{ "id": "fusion", "analysis_models": ["m", "evil"] }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages, "plugins": [{ "id": "fusion", "analysis_models": ["m"], "model": "m" }] }),
            true,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "tools": [{ "type": "openrouter:fusion", "parameters": { "analysis_models": ["evil"] } }] }),
            false,
        ),
        (
            CHAT,
            json!({ "model": "m", "messages": messages,
                "tools": [{ "type": "function", "function": { "name": "f" }, "parameters": { "model": "car" } }] }),
            true,
        ),
        ("/v1/projects/p/locations/l/tuningJobs", json!({ "baseModel": "evil" }), false),
        ("/model-customization-jobs", json!({ "baseModelIdentifier": "evil" }), false),
        ("/async-invoke", json!({ "modelId": "m", "modelInput": { "model": "evil" } }), false),
    ] {
        assert_eq!(passes(allow(), path, &body), fine, "{path} {body}");
    }
    for (body, fine) in [
        ("model=m&prompt=x", true),
        ("model=m,evil", false),
        ("model=evil&prompt=x", false),
        ("prompt=x&model=m&model=evil", false),
    ] {
        let sent = sent(allow(), "/generate", "application/x-www-form-urlencoded", body.as_bytes());
        assert_eq!(sent.is_some(), fine, "{body}");
    }
}

/// Each row: where a live session is opened, by a WebSocket or by a description of a call, and whether it passes.
#[test]
fn a_live_session_asks_for_the_model_in_its_address() {
    let open = json!({ "failureMode": "open", "rules": [{ "models": { "allow": ["m"] } }] });
    let program = Rc::new(compiled(&bundle(open)));
    for (method, path, header, fine) in [
        ("GET", "/v1/realtime?model=m", "upgrade", true),
        ("GET", "/v1/realtime?model=evil", "upgrade", false),
        ("GET", "/v1/realtime?model=m&model=evil", "upgrade", false),
        ("GET", "/v1/realtime?model=evil", "x-none", false),
        ("CONNECT", "/openai/realtime?api-version=1&deployment=evil", "x-none", false),
        ("CONNECT", "/openai/realtime?deployment=evil&deployment=gpt-realtime", "x-none", false),
        ("POST", "/v1/realtime/calls?model=evil", "x-none", false),
        ("POST", "/v1/realtime/calls?model=m", "x-none", true),
        ("GET", "/feeds/realtime/7?model=evil", "upgrade", true),
        ("GET", "/cars?model=evil", "x-none", true),
    ] {
        let headers = [(header, "websocket"), ("content-type", "application/sdp")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let head = RequestHead { method: method.to_owned(), headers, ..post(path) };
        let mut session = Session::start(Rc::clone(&program), head, "d".into(), 0);
        let mut step = session.request_headers(method != "POST", 0);
        if matches!(step, Step::ReadBody) {
            step = session.request(b"v=0\r\ns=-\r\n", 0);
        }
        assert_eq!(matches!(step, Step::Continue), fine, "{method} {path} {step:?}");
    }
}

/// Each row: the path, the type and the bytes of what is no text or is not read, and whether an open policy lets it pass.
#[test]
fn the_address_tells_the_model_of_what_is_not_read() {
    let open = || json!({ "failureMode": "open", "rules": [{ "models": { "allow": ["m"] } }] });
    let sound = b"fLaC\0\0\0\x22\x10\0\xff\xfe".as_slice();
    for (path, content_type, body, fine) in [
        ("/hf-inference/models/evil", "audio/flac", sound, false),
        ("/hf-inference/models/m", "audio/flac", sound, true),
        ("/client/v4/accounts/x/ai/run/@cf/openai/evil", "application/octet-stream", sound, false),
        ("/endpoints/evil/invocations", "application/x-image", sound, false),
        ("/endpoints/m/invocations", "application/x-image", sound, true),
        ("/model/evil/invoke-with-bidirectional-stream", "application/vnd.amazon.eventstream", sound, false),
        ("/v1beta/models/evil:generateContent", "application/json", b"{\"a\":1,\"a\":2}", false),
        ("/v1beta/models/m:generateContent", "application/json", b"{\"a\":1,\"a\":2}", true),
        ("/v1/chat/completions", "application/json", b"{\"a\":1,\"a\":2}", true),
        ("/v1/chat/completions?model=evil", "application/json", b"{\"a\":1,\"a\":2}", false),
        ("/upload?model=golf", "image/flac", sound, true),
    ] {
        assert_eq!(sent(open(), path, content_type, body).is_some(), fine, "{path}");
    }
}

/// However deep they stand in each other, each is read once.
#[test]
fn models_to_fall_back_on_within_each_other_are_read_once() {
    let allow = json!({ "rules": [{ "models": { "allow": ["m"] } }] });
    for (last, fine) in [("m", true), ("evil", false)] {
        let mut fallbacks = json!([last]);
        for _ in 0..28 {
            fallbacks = json!([{ "m": [{ "model": "m", "fallbacks": fallbacks }] }]);
        }
        let body = json!({ "model": "m", "messages": [], "fallbacks": fallbacks });
        assert_eq!(passes(allow.clone(), CHAT, &body), fine, "{last}");
    }
}
