package mesh

names := [call.name | some call in input.tool_calls]
lengths := {text: count(text) | some message in input.messages; text := message.text}
out["names"] := names
out["set"] := {upper(name) | some name in names}
out["object"] := lengths
out["nested"] := [[x, y] | some x in input.list; y := [z | some z in input.list; z > x]]
out["indexed"] := {i: v | some i, v in input.list; i % 2 == 0}
out["product"] := {[x, y] | some x in input.list; some y in input.list; x < y}
deny contains sprintf("%d calls", [count(names)]) if count(names) > 2
