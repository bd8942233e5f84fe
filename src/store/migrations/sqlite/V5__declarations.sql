-- Export declarations, and their items one by one: all items of a listing, of an exporter or of a
-- declaration (whose number begins the key) are one look-up each.
CREATE TABLE declarations (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE declaration_items (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    listing TEXT NOT NULL, exporter_cuit TEXT NOT NULL, officialised_on TEXT NOT NULL,
    year TEXT NOT NULL, office TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX declaration_items_by_listing ON declaration_items (listing, key);
CREATE INDEX declaration_items_by_exporter ON declaration_items (exporter_cuit, key);
CREATE INDEX declaration_items_by_owner ON declaration_items (owner, key);
-- Whose listing an article number is, where no marketplace is named.
CREATE INDEX listings_by_article ON listings (sku, key);
