package mesh

out["array"] := x if [x, _, _] = [input.n, 2, 3]

out["object"] := y if {"a": y, "b": 1} = {"a": input.s, "b": 1}

out["first"] := head if [head, _] = [input.letter, input.n]

out["nested"] := [a, b] if {"p": [a, {"q": b}]} = {"p": [input.n, {"q": input.s}]}

out["bound"] if {
	x = input.n
	x = -12
}

out["call"] := amount if {
	some call in input.tool_calls
	{"name": "transfer", "arguments": {"amount": amount}} = call
	amount == max([c.arguments.amount | some c in input.tool_calls; c.name == "transfer"])
}

out["path"] := [v1, rest] if {
	["", v1, rest, _] = split(input.request.path, "/")
}

deny contains "not as expected" if not "completions" = split(input.request.path, "/")[3]
