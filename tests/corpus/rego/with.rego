package mesh

admin if "admin" in input.roles
allow if admin
out["as_admin"] if admin with input.roles as ["admin"]
out["as_none"] if not admin with input.roles as []
out["whole"] if admin with input as {"roles": ["admin"]}
lists := {"a", "b"}
out["member"] if input.s in lists
size := count(input.list)
out["longer"] := longer if longer := size with input.list as array.concat(input.list, [1, 2])
limit := data.limits.most
out["limit"] := other if other := limit with data.limits.most as 5
out["mocked"] := mocked if mocked := count_of with count as fake
fake(_) := 42
count_of := count(input.list)
