# What several policies share.
package lib.words

import data.limits

shout(word) := upper(word)

listed(word) if word in {"user", "admin"}

all contains shout(word) if some word in ["a", "b"]

all contains "limited" if limits.most < 10
