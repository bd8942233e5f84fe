-- Documents: one table a kind, the domain's value in `body`, what is filtered by in columns.
CREATE TABLE partners (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    role TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE exporters (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    province TEXT NOT NULL, size_class TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE verifications (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    cuit TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verifications_by_cuit ON verifications (cuit, key);
CREATE INDEX verifications_by_state ON verifications (state, key);
CREATE TABLE listings (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    sku TEXT NOT NULL, seller_cuit TEXT NOT NULL, ncm TEXT NOT NULL, channel TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX listings_by_sku ON listings (owner, sku);
CREATE INDEX listings_by_seller ON listings (seller_cuit, key);
CREATE INDEX listings_by_state ON listings (state, key);
CREATE TABLE sales_reports (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    period_start TEXT NOT NULL, period_end TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sales_reports_by_owner ON sales_reports (owner, key);
CREATE TABLE reference_tables (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE revocations (
    key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Requests: the same key and digest get the same answer, for ever.
CREATE TABLE requests (
    partner TEXT NOT NULL, request_id TEXT NOT NULL, digest BLOB NOT NULL,
    entry_index INTEGER NOT NULL, answer BLOB NOT NULL,
    PRIMARY KEY (partner, request_id)
) STRICT, WITHOUT ROWID;

-- The ledger: entries are dense from 0; `content` opens the commitment in the entry.
CREATE TABLE ledger_entries (
    entry_index INTEGER NOT NULL PRIMARY KEY, entry BLOB NOT NULL,
    salt BLOB NOT NULL, content BLOB NOT NULL
) STRICT;
-- Complete interior nodes of the Merkle tree; level 0 holds leaf hashes.
CREATE TABLE ledger_nodes (
    level INTEGER NOT NULL, node_index INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;
-- One row: the tree as of the last commit.
CREATE TABLE ledger_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, frontier BLOB NOT NULL
) STRICT;

-- Line ids belong to one marketplace for ever.
CREATE TABLE line_identity (
    marketplace TEXT NOT NULL, line_id TEXT NOT NULL,
    entry_index INTEGER NOT NULL, line_seq INTEGER NOT NULL,
    PRIMARY KEY (marketplace, line_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE sale_lines (
    line_seq INTEGER NOT NULL PRIMARY KEY, report TEXT NOT NULL, marketplace TEXT NOT NULL,
    line_id TEXT NOT NULL, order_id TEXT NOT NULL, kind TEXT NOT NULL, original_line_id TEXT,
    sku TEXT NOT NULL, listing TEXT, quantity TEXT NOT NULL, unit_price TEXT NOT NULL,
    currency TEXT NOT NULL, sold_at TEXT NOT NULL, day TEXT NOT NULL, destination TEXT NOT NULL,
    declaration TEXT, declaration_item INTEGER, other_amounts TEXT, cell INTEGER,
    verdict TEXT NOT NULL, entry_index INTEGER NOT NULL
) STRICT;
CREATE INDEX sale_lines_by_original ON sale_lines (marketplace, original_line_id)
    WHERE original_line_id IS NOT NULL;
CREATE INDEX sale_lines_by_report ON sale_lines (report, line_seq);

-- What a report holds so far.
CREATE TABLE report_progress (
    report TEXT NOT NULL PRIMARY KEY, next_line INTEGER NOT NULL, accepted INTEGER NOT NULL,
    warned INTEGER NOT NULL, duplicates INTEGER NOT NULL, refused INTEGER NOT NULL,
    orders INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE report_totals (
    report TEXT NOT NULL, kind TEXT NOT NULL, currency TEXT NOT NULL,
    lines INTEGER NOT NULL, quantity TEXT NOT NULL, amount TEXT NOT NULL,
    PRIMARY KEY (report, kind, currency)
) STRICT, WITHOUT ROWID;

-- Daily rollups, kept by the write path. Decimals are exact text.
CREATE TABLE rollup_cells (
    cell INTEGER NOT NULL PRIMARY KEY, report TEXT NOT NULL, marketplace TEXT NOT NULL,
    day TEXT NOT NULL, listing TEXT NOT NULL, seller TEXT NOT NULL, ncm TEXT NOT NULL,
    channel TEXT NOT NULL, province TEXT NOT NULL, size_class TEXT NOT NULL,
    destination TEXT NOT NULL, currency TEXT NOT NULL, kind TEXT NOT NULL,
    lines INTEGER NOT NULL, quantity TEXT NOT NULL, amount TEXT NOT NULL, orders INTEGER
) STRICT;
CREATE UNIQUE INDEX rollup_cells_by_key ON rollup_cells (
    report, day, listing, kind, currency, destination, seller, ncm, channel, province, size_class
);
CREATE INDEX rollup_cells_by_day ON rollup_cells (day, marketplace);
