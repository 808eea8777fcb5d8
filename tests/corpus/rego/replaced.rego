package mesh

# What `with` replaces, by short names and full ones: rules with and without values, parts of them, defaults, functions.
default ready := false

ready if input.flag == true

bounds := {"most": 3, "least": 1}

limit := bounds.most

names contains name if some name in input.names

twice(x) := x * 2

answer := twice(limit)

out["rule"] := v if v := ready with ready as true

out["value"] := v if v := answer with limit as 10

out["full"] := v if v := answer with data.mesh.limit as 10

out["set"] := v if v := count(names) with names as {"a", "b"}

out["function"] := v if v := answer with twice as 5

out["two"] := v if v := answer with limit as 4 with twice as 9

out["input"] := v if v := [ready, count(names)] with input as {"flag": true, "names": ["x"]}

out["inside"] := xs if {
	xs := [v | some n in [1, 2]; v := answer with limit as n]
}

deny contains "not ready" if not ready with limit as 0
