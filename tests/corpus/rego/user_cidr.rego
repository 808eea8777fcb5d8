package mesh

internal := ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]

from_inside if {
	some net in internal
	net_has(net, input.source.ip)
}

net_has(cidr, ip) if net.cidr_contains(cidr, ip)

deny contains sprintf("%s is outside", [input.source.ip]) if not from_inside

matches := {i | some i, n in internal; net.cidr_contains(n, input.source.ip)}

out["matches"] := matches
