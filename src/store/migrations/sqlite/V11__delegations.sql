-- What exporters delegated to brokers: one document a pair. All of a broker are one look-up, and so
-- are all of an exporter.
CREATE TABLE delegations (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    exporter_cuit TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delegations_by_pair ON delegations (exporter_cuit, owner);
CREATE INDEX delegations_by_owner ON delegations (owner, key);
