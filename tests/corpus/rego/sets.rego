package mesh

list := {x | some x in input.list}
out["union"] := list | {1, 2, 3}
out["intersection"] := list & {1, 2, 3, 7}
out["difference"] := list - {7}
out["symmetric"] := (list - {1, 7}) | ({1, 7} - list)
out["count"] := count(list)
out["unions"] := union({list, {100}})
out["intersections"] := intersection({list, {7, 8}})
out["subset"] if list & {7} == {7}
out["of_sets"] := {{x} | some x in list; x > 5}
deny contains "seven" if 7 in list
