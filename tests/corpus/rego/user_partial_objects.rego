package mesh

count_by_name[name] := n if {
	some name in {call.name | some call in input.tool_calls}
	n := count([call | some call in input.tool_calls; call.name == name])
}

roles_of[user][role] := true if {
	some user in ["ada", "bob"]
	some role in input.roles
	user == input.user
}

nested.by.model[input.request.model] := input.request.stream

reasons contains {"code": 1, "why": "stream"} if input.request.stream

reasons contains {"code": 2, "why": input.agent} if input.agent != "batch"

out["counts"] := count_by_name

out["codes"] := {reason.code | some reason in reasons}

out["model"] := nested.by.model

deny contains reason.why if some reason in reasons
