package mesh

out["keys"] := object.keys(input.request)
out["get"] := object.get(input.request, "model", "none")
out["remove"] := object.remove(input.request, ["path", "nothing"])
out["filter"] := object.filter(input.request, ["method", "model"])
out["union"] := object.union(input.request, {"model": "m", "extra": {"a": 1}})
out["union_n"] := object.union_n([{"a": {"b": 1}}, {"a": {"c": input.n}}, {"d": input.s}])
out["subset"] if object.subset(input.request, {"method": "POST"})
out["count"] := count(input.request)
out["inverted"] := {v: k | some k, v in {"a": input.agent, "b": "batch2"}}
deny contains key if { some key in object.keys(input.request); startswith(key, "st") }
