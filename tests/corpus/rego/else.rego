package mesh

grade := "a" if count(input.list) > 5
else := "b" if count(input.list) > 3
else := "c" if { some x in input.list; x > 10 }
else := "d"
choose(x) := "number" if is_number(x)
else := "string" if is_string(x)
else := sprintf("other %s", [type_name(x)])
out["grade"] := grade
out["choose"] := choose(input.x)
out["choices"] := [choose(x) | some x in [input.n, input.s, input.x, null]]
deny contains grade if grade in {"a", "c"}
