package mesh

out["first"] := input.messages[0].text
out["last"] := input.messages[count(input.messages) - 1].text
out["dynamic"] := input[key] if key := "agent"
out["texts"] := [t | t := input.messages[_].text]
out["missing"] := object.get(input, ["request", "nothing"], "default")
out["deep"] := object.get(input, ["request", "model"], "default")
out["roles"] := {r | r := input.roles[_]}
deny contains sprintf("%s at %d", [role, i]) if { role := input.messages[i].role; role == "system" }
