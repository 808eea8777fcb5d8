package mesh

deny contains call.name if { some call in input.tool_calls; call.arguments.amount > 100 }
deny contains sprintf("%v", [i]) if { some i; input.list[i] > 50 }
out[name] := count(positions) if { some name in input.tools; positions := [i | some i, other in input.tools; other == name] }
warn contains key if some key, _ in input.x
out["pair"] := [a, b] if { some a, b; input.pairs = [a, b] }
allow if "admin" in input.roles
