package mesh

out["inside"] if net.cidr_contains("10.0.0.0/8", input.source.ip)
out["private"] if { some network in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"]; net.cidr_contains(network, input.source.ip) }
out["subnet"] if net.cidr_contains("192.0.2.0/24", "192.0.2.128/25")
out["valid"] if net.cidr_is_valid(sprintf("%s/16", [input.source.ip]))
out["expand"] := net.cidr_expand("192.0.2.0/30")
deny contains "from outside" if not net.cidr_contains("10.0.0.0/8", input.source.ip)
