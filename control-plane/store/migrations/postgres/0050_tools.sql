-- Definitions of tools as sidecars have seen them. What was decided on them stands in `policy_versions`.
CREATE TABLE tool_definitions (
    server    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    digest    TEXT    NOT NULL, -- SHA-256 of the canonical form, hex
    text      TEXT    NOT NULL, -- for people
    truncated BOOLEAN NOT NULL,
    sidecar   TEXT    NOT NULL, -- that saw it first
    first_ns  BIGINT NOT NULL,
    last_ns   BIGINT NOT NULL,
    PRIMARY KEY (server, name, digest)
);
