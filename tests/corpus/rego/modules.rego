package mesh

import data.lib.words
import data.lib.words.listed as known
deny contains words.shout(role) if { some role in input.roles; not known(role) }
out["shout"] := words.shout(input.agent)
out["all"] := words.all
warn contains sprintf("over %d", [data.limits.most]) if count(input.list) > data.limits.most
