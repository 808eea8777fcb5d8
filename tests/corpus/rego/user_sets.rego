package mesh

wanted := {"search", "mail"}

offered := {t | some t in input.tools}

out["missing"] := wanted - offered

out["both"] := wanted & offered

out["either"] := wanted | offered

out["union"] := union({offered, {"x"}, set()})

out["intersection"] := intersection({offered, wanted})

out["empty"] := set()

out["equal"] if offered == {"search", "mail"}

out["subset"] if wanted & offered == wanted

out["size"] := count(offered)

out["sorted"] := sort(offered)

out["array"] := [x | some x in offered]

out["of_sets"] := {{x, y} | some x in offered; some y in offered; x != y}

deny contains tool if some tool in offered - {"search", "calendar", "mail"}

warn contains "nothing is offered" if offered == set()
