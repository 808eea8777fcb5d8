package mesh

out["in_list"] if 7 in input.list
out["in_set"] if input.agent in {"support-1", "batch"}
out["in_object"] if "x" in {"a": "x"}
out["pair"] if 0, 7 in input.list
out["key"] if { some key, _ in input.messages[0]; key == "text" }
out["some"] := {i | some i, 7 in input.list}
deny contains role if { some role in input.roles; not role in {"user", "admin"} }
