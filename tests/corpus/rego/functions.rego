package mesh

sum_of(list) := sum([x | some x in list; is_number(x)])
size(x) := count(x) if is_string(x)
size(x) := count(x) if is_array(x)
size(x) := count(x) if is_object(x)
size(x) := 0 if not sized(x)
sized(x) if is_string(x)
sized(x) if is_array(x)
sized(x) if is_object(x)
weight("admin") := 3
weight("user") := 1
weight(role) := 2 if not role in {"admin", "user"}
out["sum"] := sum_of(input.list)
out["size"] := size(input.x)
out["weights"] := [weight(role) | some role in input.roles]
pattern({"name": name, "arguments": _}) := name
out["patterns"] := [pattern(call) | some call in input.tool_calls]
deny contains "heavy" if sum([weight(role) | some role in input.roles]) > 4
