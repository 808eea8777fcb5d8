package mesh

out["sum"] := sum(input.list)
out["product"] := product(array.slice(input.list, 0, 4))
out["max"] := max(input.list)
out["min"] := min(input.list)
out["abs"] := [abs(x) | some x in input.list]
out["round"] := [round(x / 4) | some x in input.list]
out["ceil"] := ceil(input.f)
out["floor"] := floor(input.f)
out["range"] := numbers.range(input.n, 5)
out["step"] := numbers.range_step(0, 20, 7)
out["plus"] := input.n + input.f
out["times"] := input.n * 3
out["minus"] := input.n - 100
out["rest"] := input.n % 7
out["half"] := input.n / 2
out["to"] := to_number("42.5")
out["parsed"] := to_number(sprintf("%d", [input.n]))
deny contains "negative" if input.n < 0
