package mesh

out["and"] := bits.and(abs(input.n), 12)
out["or"] := bits.or(abs(input.n), 12)
out["xor"] := bits.xor(abs(input.n), 12)
out["lsh"] := bits.lsh(abs(input.n), 3)
out["rsh"] := bits.rsh(abs(input.n), 2)
out["negate"] := bits.negate(input.n)
