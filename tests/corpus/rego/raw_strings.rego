package mesh

out["raw"] := `a\nb"c"`
out["escaped"] := "a\n\"b\"\u00e9\t/"
out["equal"] if input.s == `a b`
out["empty"] := concat("", [])
