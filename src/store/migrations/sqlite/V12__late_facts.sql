-- Facts about sellers that became known after they took effect, and the lines marked by them. What
-- waits is one look-up; so are the marks of a report and of a marketplace.
CREATE TABLE late_facts (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    exporter_cuit TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX late_facts_by_state ON late_facts (state, key);
CREATE TABLE marks (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    report TEXT NOT NULL, late_fact TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_by_report ON marks (report, key);
CREATE INDEX marks_by_late_fact ON marks (late_fact, key);
CREATE INDEX marks_by_owner ON marks (owner, key);
