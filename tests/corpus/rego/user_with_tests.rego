package mesh

limit := object.get(data.limits, "most", 1)

deny contains "too many" if count(input.tools) > limit

checked contains name if {
	some name, roles in {"none": [], "admin": ["admin"]}
	allowed with input.roles as roles
}

allowed if "admin" in input.roles

out["checked"] := checked

out["one"] := n if n := count(deny) with data.limits.most as 0 with input.tools as ["x"]

out["replaced_rule"] if allowed with data.mesh.allowed as true

out["function"] := n if n := tripled(2) with tripled as doubled

tripled(x) := x * 3

doubled(x) := x * 2

out["builtin"] := s if s := upper("a") with upper as same

same(x) := x
