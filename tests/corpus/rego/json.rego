package mesh

out["marshal"] := json.marshal(input.list)
out["nested"] := json.unmarshal(json.marshal(input.x))
out["valid"] if json.is_valid(input.s)
out["remove"] := json.remove(input.request, ["model", "nothing"])
out["filter"] := json.filter(input.request, ["model", "method"])
out["paths"] := json.filter({"a": {"b": input.n, "c": 1}}, ["a/b"])
out["parsed"] := json.unmarshal("{\"a\": [1, 2.5, null]}").a
deny contains "amount" if { some call in input.tool_calls; json.unmarshal(json.marshal(call.arguments)).amount > 100 }
