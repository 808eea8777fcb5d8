-- Policy versions: written once, never changed. `revision` orders all changes to all policies.
CREATE TABLE policy_versions (
    revision BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     TEXT    NOT NULL,
    version  BIGINT NOT NULL,
    change   TEXT    NOT NULL,
    at_ns    BIGINT NOT NULL,
    document TEXT,
    UNIQUE (name, version)
);

-- Decision records. `id` is the cursor: records are read in the order in which they were kept.
CREATE TABLE decisions (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vm          TEXT    NOT NULL,
    sequence    BIGINT NOT NULL,
    sidecar     TEXT    NOT NULL,
    decision_id TEXT    NOT NULL,
    time_ns     BIGINT NOT NULL,
    agent       TEXT    NOT NULL,
    decision    TEXT    NOT NULL,
    policies    TEXT    NOT NULL, -- names, each between line feeds
    guards      TEXT    NOT NULL, -- likewise
    record      BYTEA   NOT NULL, -- ai_mesh.v1.DecisionRecord
    UNIQUE (vm, sequence)
);
CREATE INDEX decisions_by_decision_id ON decisions (decision_id);
CREATE INDEX decisions_by_agent ON decisions (agent, id);
CREATE INDEX decisions_by_decision ON decisions (decision, id);
CREATE INDEX decisions_by_time ON decisions (time_ns);

-- How far each wasm VM has got.
CREATE TABLE decision_streams (
    vm      TEXT    PRIMARY KEY,
    sidecar TEXT    NOT NULL,
    last    BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    seen_ns BIGINT NOT NULL
);

-- Numbers that never arrived.
CREATE TABLE decision_gaps (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vm            TEXT    NOT NULL,
    sidecar       TEXT    NOT NULL,
    from_sequence BIGINT NOT NULL,
    to_sequence   BIGINT NOT NULL,
    noticed_ns    BIGINT NOT NULL
);
CREATE INDEX decision_gaps_by_vm ON decision_gaps (vm, from_sequence);
