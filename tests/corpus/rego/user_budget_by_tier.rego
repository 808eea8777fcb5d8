package mesh

import rego.v1

tier := t if {
	some t, agents in data.tiers
	input.agent in agents
}

tier := "none" if not has_tier

has_tier if {
	some agents in data.tiers
	input.agent in agents
}

default most := 10

most := data.budgets[tier].calls

deny contains sprintf("%d calls, at most %d", [count(input.tool_calls), most]) if count(input.tool_calls) > most

out["tier"] := tier

out["most"] := most

out["models"] := object.get(data.budgets, [tier, "models"], ["any"])
