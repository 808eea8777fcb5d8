package mesh

out["plain"] if glob.match("*.com", [], input.s)
out["dots"] if glob.match("*.b.*", ["."], input.s)
out["deep"] if glob.match("**.c", ["."], input.s)
out["choice"] if glob.match("{a,b}*", [], input.s)
out["class"] if glob.match("[a-c]?", [], input.s)
out["quote"] := glob.quote_meta(input.s)
deny contains tool if { some tool in input.tools; glob.match("cal*", [], tool) }
