package mesh

out["sum"] := sum(input.list)

out["product"] := product([1, 2, input.n])

out["mean"] := sum(input.list) / count(input.list) if count(input.list) > 0

out["abs"] := abs(input.n)

out["round"] := [round(input.f), ceil(input.f), floor(input.f)]

out["mod"] := input.n % 5 if input.n >= 0

out["range"] := numbers.range(1, 4)

out["steps"] := numbers.range_step(0, 10, 5)

out["minmax"] := [min(input.list), max(input.list)] if count(input.list) > 0

out["bits"] := bits.and(12, 10)

out["big"] := 12345678901234567890 + 1

out["compare"] if input.f > input.n

out["equal"] if 1.0 == 1

out["parse"] := units.parse_bytes("2KiB")

out["precise"] := 0.1 + 0.2

deny contains sprintf("%d is over", [n]) if {
	some n in input.list
	n > 20
}
