package mesh

by_role[message.role] contains message.text if some message in input.messages
totals[role] := count(texts) if some role, texts in by_role
out["by_role"] := by_role
out["totals"] := totals
out[role] := total if { some role, total in totals }
first[name] := position if { some position, name in input.tools; not name in array.slice(input.tools, 0, position) }
out["first"] := first
