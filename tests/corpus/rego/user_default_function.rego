package mesh

default ratio(_, _) := 0

ratio(a, b) := a / b if b != 0

default label(_) := "unknown"

label("a") := "first"

label("b") := "second"

out["ratio"] := ratio(input.n, input.f)

out["zero"] := ratio(input.n, 0)

out["label"] := label(input.letter)

warn contains label(letter) if some letter in ["a", "b", "c", input.letter]
