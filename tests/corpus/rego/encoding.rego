package mesh

out["base64"] := base64.encode(input.s)
out["back"] := base64.decode(base64.encode(input.s))
out["hex"] := hex.encode(input.s)
out["unhex"] := hex.decode(hex.encode(input.s))
out["valid"] if base64.is_valid(input.s)
