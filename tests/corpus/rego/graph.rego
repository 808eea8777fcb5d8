package mesh

edges := {"a": ["b", "c"], "b": ["d"], "c": [], "d": ["a"], "e": ["e"]}
out["reachable"] := graph.reachable(edges, [input.letter])
out["walk"] := {path | walk(input.request, [path, value]); is_string(value)}
out["leaves"] := count([1 | walk(input.x, [_, v]); not is_object(v); not is_array(v)])
