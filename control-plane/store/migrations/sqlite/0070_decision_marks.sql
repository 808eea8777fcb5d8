-- Up to which record had come by when, by the control plane's own clock: what is old is not for sidecars to say.
CREATE TABLE decision_marks (
    at_ns  INTEGER PRIMARY KEY,
    newest INTEGER NOT NULL
) STRICT;
