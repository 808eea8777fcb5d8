-- Lists are ordered by the time of the decision; records that came in one batch, or by several workers, did not come so.
DROP INDEX decisions_by_agent;
DROP INDEX decisions_by_decision;
DROP INDEX decisions_by_time;
CREATE INDEX decisions_by_agent ON decisions (agent, time_ns, id);
CREATE INDEX decisions_by_decision ON decisions (decision, time_ns, id);
CREATE INDEX decisions_by_time ON decisions (time_ns, id);
