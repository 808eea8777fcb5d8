package mesh

hosts contains host if { some message in input.messages; some word in split(message.text, " "); contains(word, "."); host := lower(word) }
risky := hosts - {"example.com", "b.c"}
deny contains concat(", ", sort(risky)) if count(risky) > 1
out["both"] := hosts & {"example.com"}
out["all"] := hosts | {"always"}
warn contains "none" if hosts == set()
