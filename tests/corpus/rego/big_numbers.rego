package mesh

out["square"] := input.n * input.n * 1000000007 * 1000000007
out["literal"] := 123456789012345678901234567890 + input.n
out["compare"] if 12345678901234567890 > input.n
out["exact"] := 9007199254740993 - input.n
out["sum"] := sum([9223372036854775807, input.n, 1])
