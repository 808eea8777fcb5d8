package mesh

out["values"] := [[x, y] | some x in [null, false, 1, "a", [1], {"a": 1}]; some y in [input.x, input.n, input.s]; x < y]
out["equal"] := [x | some x in [null, true, 0, "", [], {}]; x == input.x]
out["sorted"] := sort([input.x, input.n, input.s, null, true, [], {}])
out["arrays"] if [input.n, 1] < [5, 0]
out["max"] := max([input.s, "b"])
out["types"] := [type_name(v) | some v in [input.x, input.n, input.s, input.list, input.request]]
