package mesh

out["d"] := sprintf("%d", [input.n])
out["s"] := sprintf("%s and %s", [input.s, input.agent])
out["v"] := sprintf("%v", [input.list])
out["q"] := sprintf("%q", [input.agent])
out["pad"] := sprintf("%5d|%-6s|%06d", [input.n, input.agent, input.n])
out["hex"] := sprintf("%x %X", [input.n, input.n])
out["percent"] := sprintf("%d%%", [input.n])
out["float"] := sprintf("%.2f", [input.f])
out["bool"] := sprintf("%v %v", [true, null])
deny contains sprintf("agent %s has %d roles", [input.agent, count(input.roles)]) if count(input.roles) > 1
