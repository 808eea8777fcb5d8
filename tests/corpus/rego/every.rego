package mesh

deny contains "a tool is not known" if not all_known
all_known if { every tool in input.tools { tool in {"search", "calendar", "mail"} } }
out["sorted"] if { every i, v in input.list { larger := [x | some j, x in input.list; j < i; x > v]; count(larger) == 0 } }
warn contains "empty" if { every x in input.list { x > 100 } }
out["nested"] if { every message in input.messages { every c in split(message.text, "") { c != "z" } } }
