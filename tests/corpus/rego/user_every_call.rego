package mesh

known := {"search", "calendar", "mail"}

all_small if {
	every call in input.tool_calls {
		call.arguments.amount < 100
		call.name != ""
	}
}

all_known if every call in input.tool_calls {
	call.name in known
}

deny contains "an unknown tool is called" if {
	count(input.tool_calls) > 0
	not all_known
}

deny contains "a large amount" if not all_small

out["some_large"] if {
	some i
	input.tool_calls[i].arguments.amount >= 100
	input.tool_calls[i].name == "transfer"
}

out["pairs"] := [[i, j] |
	some i, a in input.tool_calls
	some j, b in input.tool_calls
	i < j
	a.name == b.name
]
