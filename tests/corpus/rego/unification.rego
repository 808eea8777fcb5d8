package mesh

out["array"] := [a, b] if [a, b] = input.pairs
out["object"] := t if {"role": "user", "text": t} = input.messages[_]
out["nested"] := x if { some m in input.messages; m = {"role": r, "text": x}; r == "system" }
out["same"] if { x = input.agent; x = "batch" }
deny contains "equal" if [input.agent, 1] == ["batch", 1]
