package mesh

config := {"limits": {"most": 3, "per": {"admin": 10}}, "names": ["a", "b"]}
most contains config.limits.per[role] if some role in input.roles
users[name].roles contains role if { some role in input.roles; name := input.user }
out["users"] := users
a.b.c := 1
a.b.d := input.n
out["a"] := a
