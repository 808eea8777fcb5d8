-- Policy versions: written once, never changed. `revision` orders all changes to all policies.
CREATE TABLE policy_versions (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    change   TEXT    NOT NULL,
    at_ns    INTEGER NOT NULL,
    document TEXT,
    UNIQUE (name, version)
) STRICT;

-- Decision records. `id` is the cursor: records are read in the order in which they were kept.
CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    vm          TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    sidecar     TEXT    NOT NULL,
    decision_id TEXT    NOT NULL,
    time_ns     INTEGER NOT NULL,
    agent       TEXT    NOT NULL,
    decision    TEXT    NOT NULL,
    policies    TEXT    NOT NULL, -- names, each between line feeds
    guards      TEXT    NOT NULL, -- likewise
    record      BLOB    NOT NULL, -- ai_mesh.v1.DecisionRecord
    UNIQUE (vm, sequence)
) STRICT;
CREATE INDEX decisions_by_decision_id ON decisions (decision_id);
CREATE INDEX decisions_by_agent ON decisions (agent, id);
CREATE INDEX decisions_by_decision ON decisions (decision, id);
CREATE INDEX decisions_by_time ON decisions (time_ns);

-- How far each wasm VM has got.
CREATE TABLE decision_streams (
    vm      TEXT    PRIMARY KEY,
    sidecar TEXT    NOT NULL,
    last    INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL
) STRICT;

-- Numbers that never arrived.
CREATE TABLE decision_gaps (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    vm            TEXT    NOT NULL,
    sidecar       TEXT    NOT NULL,
    from_sequence INTEGER NOT NULL,
    to_sequence   INTEGER NOT NULL,
    noticed_ns    INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_gaps_by_vm ON decision_gaps (vm, from_sequence);
