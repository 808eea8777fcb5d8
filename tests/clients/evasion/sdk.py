"""What Python SDKs hand to their users: {"name", "kind", "case"} in; {"seen"} or {"error"} out."""
import json
import sys

import anthropic
import openai

BASE = sys.argv[1]

for line in sys.stdin:
    case = json.loads(line)
    headers = {"x-case": str(case["case"])}
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "extra_headers": headers}
    try:
        if case["kind"] == "messages":
            client = anthropic.Anthropic(base_url=BASE, api_key="k", max_retries=0, timeout=20)
            seen = client.messages.create(max_tokens=9, **asked).model_dump()
        else:
            client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="k", max_retries=0, timeout=20)
            if case["kind"] == "stream":
                chunks = client.chat.completions.create(stream=True, **asked)
                choices = {}
                for chunk in chunks:
                    for choice in chunk.choices:
                        choices[choice.index] = choices.get(choice.index, "") + (choice.delta.content or "")
                seen = list(choices.values())
            else:
                answer = client.chat.completions.create(**asked)
                seen = answer.model_dump() if hasattr(answer, "model_dump") else answer
        print(json.dumps({"seen": seen}))
    except Exception as error:  # Whatever it is: the user has not seen the value.
        print(json.dumps({"error": type(error).__name__, "said": str(error)}))
