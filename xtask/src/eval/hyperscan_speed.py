"""Measures how fast Hyperscan looks for plain patterns in labelled rows.

python hyperscan_speed.py SPEED.json PATTERNS.txt FILE.jsonl...

Row after row, as the others: which of the patterns match. The best of several passes counts, less what as many calls
from Python cost that scan nothing. Writes {"bytes": ..., "seconds": ...}.
"""

import json
import sys
import time

import hyperscan

PASSES = 20


def best(database, rows):
    taken = float("inf")
    for _ in range(PASSES):
        started = time.perf_counter()
        for row in rows:
            database.scan(row)
        taken = min(taken, time.perf_counter() - started)
    return taken


def main():
    out, patterns, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    texts = []
    for name in files:
        with open(name, encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines if line.strip()]
    rows = [text.encode() for text in texts]
    with open(patterns, encoding="utf-8") as lines:
        expressions = [line.strip().encode() for line in lines if line.strip()]
    # One match of a pattern is enough, as for a set of patterns that only says which of them match.
    flags = [hyperscan.HS_FLAG_SINGLEMATCH] * len(expressions)
    database = hyperscan.Database()
    database.compile(expressions=expressions, ids=list(range(len(expressions))), elements=len(expressions), flags=flags)
    seconds = best(database, rows) - best(database, [b""] * len(rows))
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"bytes": sum(map(len, rows)), "seconds": max(seconds, 1e-9)}, file)


main()
