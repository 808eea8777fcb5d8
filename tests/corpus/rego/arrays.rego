package mesh

out["concat"] := array.concat(input.list, input.tools)
out["slice"] := array.slice(input.list, 1, 3)
out["beyond"] := array.slice(input.list, 2, 100)
out["reverse"] := array.reverse(input.list)
out["sort"] := sort(input.list)
out["sorted_tools"] := sort(input.tools)
out["count"] := count(input.list)
out["flat"] := [x | some list in [input.list, input.tools]; some x in list]
