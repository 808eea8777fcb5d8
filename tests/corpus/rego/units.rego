package mesh

out["bytes"] := units.parse_bytes(sprintf("%dKiB", [abs(input.n)]))
out["parse"] := units.parse(sprintf("%dk", [abs(input.n)]))
out["mega"] := units.parse_bytes("1.5MB")
