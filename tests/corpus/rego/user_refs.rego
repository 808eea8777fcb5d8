package mesh

import data.teams.red as red
import input.request as req

out["alias"] := req.model

out["quota"] := red.quota.calls

out["bracket"] := input["request"]["model"]

out["computed"] := input[key] if key := "agent"

out["last"] := input.list[count(input.list) - 1]

out["chained"] := split(req.path, "/")[2]

out["slice"] := array.slice(input.list, 1, 3)

out["flatten"] := [x | some pair in [[1, 2], [input.n]]; some x in pair]

out["reverse"] := array.reverse(input.list)

out["concat"] := array.concat(input.list, [0])

messages_by_role := {role: texts |
	some role in {m.role | some m in input.messages}
	texts := [m.text | some m in input.messages; m.role == role]
}

out["by_role"] := messages_by_role

deny contains "system prompt from the user" if {
	some text in messages_by_role.user
	startswith(text, "a")
}
