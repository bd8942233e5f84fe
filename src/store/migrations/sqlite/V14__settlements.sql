-- How much of its bounded regimes an exporter has used in a year.
CREATE TABLE regime_years (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
-- The settlement of the proceeds of every item of which something was shipped. Items that were
-- shipped before this get theirs when it is reported or asked for.
CREATE TABLE settlements (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    exporter_cuit TEXT NOT NULL, due TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX settlements_by_exporter ON settlements (exporter_cuit, key);
CREATE INDEX settlements_by_due ON settlements (due, key) WHERE due < '9999-12-31';
