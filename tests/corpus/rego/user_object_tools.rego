package mesh

base := {"a": 1, "b": {"c": 2, "d": [1, 2]}}

out["get"] := object.get(base, ["b", "c"], 0)

out["missing"] := object.get(base, ["b", "z", "y"], "none")

out["index"] := object.get(base, ["b", "d", 1], "none")

out["union"] := object.union(base, {"b": {"c": input.n}, "e": input.s})

out["union_n"] := object.union_n([base, {"a": input.n}, {"f": null}])

out["removed"] := object.remove(base, ["a"])

out["filtered"] := object.filter(input.request, {"method", "model"})

out["keys"] := object.keys(base)

out["subset"] if object.subset(input.request, {"method": "POST"})

out["comprehension"] := {name: value | some name, value in input.request; is_string(value)}

out["inverted"] := {value: names |
	some value in {"transfer", "search"}
	names := [i | some i, call in input.tool_calls; call.name == value]
}

out["json_filter"] := json.filter(input, ["request/model", "source/ip"])

out["json_remove"] := json.remove(input.request, ["path"])

deny contains "secret field" if object.get(input.x, "secret", false) == true
