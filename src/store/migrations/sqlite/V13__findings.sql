-- What customs found about an item of a declaration (key NUMBER/ITEM), or about a listing's sales
-- under no declaration (key of the listing).
CREATE TABLE findings (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    listing TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_listing ON findings (listing, key);
