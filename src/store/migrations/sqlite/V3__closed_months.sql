-- Months that take no more lines; key is YYYY-MM.
CREATE TABLE closed_months (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
