package mesh

grade := "critical" if {
	input.n > 20
} else := "high" if {
	input.n > 10
	not input.request.stream
} else := "medium" if {
	input.n > 0
} else := sprintf("low:%v", [input.n])

score(x) := 3 if {
	x > 20
} else := 2 if {
	x > 10
} else := 1

out["grade"] := grade

out["score"] := score(input.n)

out["scores"] := [score(n) | some n in input.list]

deny contains "too critical" if grade == "critical"
