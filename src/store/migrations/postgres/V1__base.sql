-- Equal in meaning to the schema of the embedded store. All text sorts by its bytes, as there,
-- whatever the database's own collation says.

-- Documents: one table a kind, the domain's value in `body`, what is filtered by in columns.
CREATE TABLE partners (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, role TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE exporters (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, province TEXT COLLATE "C" NOT NULL,
    size_class TEXT COLLATE "C" NOT NULL, due TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX exporters_by_due ON exporters (due, key) WHERE due < '9999-12-31';
CREATE TABLE verifications (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, cuit TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX verifications_by_cuit ON verifications (cuit, key);
CREATE INDEX verifications_by_state ON verifications (state, key);
CREATE TABLE listings (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, sku TEXT COLLATE "C" NOT NULL,
    seller_cuit TEXT COLLATE "C" NOT NULL, ncm TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL, due TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE UNIQUE INDEX listings_by_sku ON listings (owner, sku);
CREATE INDEX listings_by_seller ON listings (seller_cuit, key);
CREATE INDEX listings_by_state ON listings (state, key);
CREATE INDEX listings_by_article ON listings (sku, key);
CREATE INDEX listings_by_due ON listings (due, key) WHERE due < '9999-12-31';
CREATE TABLE declarations (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE declaration_items (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, listing TEXT COLLATE "C" NOT NULL,
    exporter_cuit TEXT COLLATE "C" NOT NULL, officialised_on TEXT COLLATE "C" NOT NULL,
    year TEXT COLLATE "C" NOT NULL, office TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX declaration_items_by_listing ON declaration_items (listing, key);
CREATE INDEX declaration_items_by_exporter ON declaration_items (exporter_cuit, key);
CREATE INDEX declaration_items_by_owner ON declaration_items (owner, key);
CREATE TABLE delegations (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, exporter_cuit TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE UNIQUE INDEX delegations_by_pair ON delegations (exporter_cuit, owner);
CREATE INDEX delegations_by_owner ON delegations (owner, key);
CREATE TABLE late_facts (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, exporter_cuit TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE marks (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, report TEXT COLLATE "C" NOT NULL,
    late_fact TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX late_facts_by_state ON late_facts (state, key);
CREATE INDEX marks_by_report ON marks (report, key);
CREATE INDEX marks_by_late_fact ON marks (late_fact, key);
CREATE INDEX marks_by_owner ON marks (owner, key);
CREATE TABLE findings (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, listing TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX findings_by_listing ON findings (listing, key);
CREATE TABLE regime_years (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE settlements (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, exporter_cuit TEXT COLLATE "C" NOT NULL,
    due TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX settlements_by_exporter ON settlements (exporter_cuit, key);
CREATE INDEX settlements_by_due ON settlements (due, key) WHERE due < '9999-12-31';
CREATE TABLE sales_reports (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL, period_start TEXT COLLATE "C" NOT NULL,
    period_end TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE INDEX sales_reports_by_owner ON sales_reports (owner, key);
CREATE INDEX sales_reports_by_state ON sales_reports (state, key);
CREATE TABLE closed_months (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE reference_tables (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);
CREATE TABLE revocations (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL, body BYTEA NOT NULL
);

-- Requests: the same key and digest get the same answer, for ever.
CREATE TABLE requests (
    partner TEXT COLLATE "C" NOT NULL, request_id TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL, entry_index BIGINT NOT NULL, answer BYTEA NOT NULL,
    PRIMARY KEY (partner, request_id)
);

-- The ledger: entries are dense from 0; `content` opens the commitment in the entry.
CREATE TABLE ledger_entries (
    entry_index BIGINT NOT NULL PRIMARY KEY, entry BYTEA NOT NULL,
    salt BYTEA NOT NULL, content BYTEA NOT NULL
);
-- Complete interior nodes of the Merkle tree; level 0 holds leaf hashes.
CREATE TABLE ledger_nodes (
    level SMALLINT NOT NULL, node_index BIGINT NOT NULL, hash BYTEA NOT NULL,
    PRIMARY KEY (level, node_index)
);
-- One row, there from the start: whoever holds it may write, and nobody else. It has the tree as of
-- the last commit, and the last numbers that were given to lines, slices and goods.
CREATE TABLE ledger_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), size BIGINT NOT NULL, frontier BYTEA NOT NULL,
    last_line BIGINT NOT NULL, last_slice BIGINT NOT NULL, last_goods BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO ledger_head (id, size, frontier, last_line, last_slice, last_goods)
VALUES (1, 0, '', 0, 0, 0);

-- Line ids belong to one marketplace for ever: one table, so that its key holds over all months.
-- The day says in which part of sale_lines the line is.
CREATE TABLE line_identity (
    marketplace TEXT COLLATE "C" NOT NULL, line_id TEXT COLLATE "C" NOT NULL,
    entry_index BIGINT NOT NULL, line_seq BIGINT NOT NULL, day DATE NOT NULL,
    PRIMARY KEY (marketplace, line_id)
);
-- By month of sale. The writer makes the parts of months that it is about to write to; there is no
-- default part, as it would have to be searched whenever another is made.
CREATE TABLE sale_lines (
    line_seq BIGINT NOT NULL, report TEXT COLLATE "C" NOT NULL,
    marketplace TEXT COLLATE "C" NOT NULL, line_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    original_line_id TEXT COLLATE "C", sku TEXT COLLATE "C" NOT NULL, listing TEXT COLLATE "C",
    quantity TEXT COLLATE "C" NOT NULL, unit_price TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL, sold_at TEXT COLLATE "C" NOT NULL, day DATE NOT NULL,
    destination TEXT COLLATE "C" NOT NULL, declaration TEXT COLLATE "C",
    declaration_item BIGINT, other_amounts TEXT COLLATE "C", cell BIGINT NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL, entry_index BIGINT NOT NULL,
    PRIMARY KEY (line_seq, day)
) PARTITION BY RANGE (day);
CREATE TABLE sale_lines_before PARTITION OF sale_lines FOR VALUES FROM (MINVALUE) TO ('2000-01-01');
CREATE TABLE sale_lines_after PARTITION OF sale_lines FOR VALUES FROM ('2100-01-01') TO (MAXVALUE);
CREATE INDEX sale_lines_by_original ON sale_lines (marketplace, original_line_id)
    WHERE original_line_id IS NOT NULL;
CREATE INDEX sale_lines_by_report ON sale_lines (report, line_seq);
CREATE INDEX sale_lines_remarked ON sale_lines (report, line_seq) WHERE verdict <> 'ACCEPTED';
-- Lines that take a sale back and name a declaration of their own, which are few: a sale that comes
-- after them takes them with it.
CREATE INDEX sale_lines_naming_citers ON sale_lines (marketplace, original_line_id)
    WHERE declaration IS NOT NULL AND original_line_id IS NOT NULL;
-- Why a line that exceeds its sale counts all the same.
CREATE TABLE line_explanations (
    line_seq BIGINT NOT NULL PRIMARY KEY, cause TEXT COLLATE "C" NOT NULL,
    evidence TEXT COLLATE "C" NOT NULL, explained_by TEXT COLLATE "C" NOT NULL,
    explained_at TEXT COLLATE "C" NOT NULL, entry_index BIGINT NOT NULL
);
CREATE INDEX line_explanations_by_time ON line_explanations (explained_at);
-- Which item a sale was matched to by hand, the last entry counts; no name: back to what it says.
CREATE TABLE line_rematches (
    line_seq BIGINT NOT NULL, entry_index BIGINT NOT NULL, name TEXT COLLATE "C",
    rematched_by TEXT COLLATE "C" NOT NULL, rematched_at TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL, listing TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (line_seq, entry_index)
);
CREATE INDEX line_rematches_by_listing ON line_rematches (listing, line_seq);

-- What a report holds so far.
CREATE TABLE report_progress (
    report TEXT COLLATE "C" NOT NULL PRIMARY KEY, next_line BIGINT NOT NULL,
    accepted BIGINT NOT NULL, warned BIGINT NOT NULL, duplicates BIGINT NOT NULL,
    refused BIGINT NOT NULL, explained BIGINT NOT NULL, orders BIGINT, last_entry BIGINT
);
CREATE TABLE report_totals (
    report TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL, lines BIGINT NOT NULL,
    quantity TEXT COLLATE "C" NOT NULL, amount TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (report, kind, currency)
);

-- Daily rollups, kept by the write path; decimals are exact text. A cell's number is made of that
-- of its slice and, in the lower 32 bits, that of its goods.
CREATE TABLE rollup_goods (
    goods BIGINT NOT NULL PRIMARY KEY CHECK (goods BETWEEN 1 AND 4294967295),
    listing TEXT COLLATE "C" NOT NULL, seller TEXT COLLATE "C" NOT NULL,
    ncm TEXT COLLATE "C" NOT NULL, channel TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL, size_class TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX rollup_goods_by_key ON rollup_goods (
    listing, seller, ncm, channel, province, size_class
);
CREATE TABLE rollup_slices (
    slice BIGINT NOT NULL PRIMARY KEY CHECK (slice BETWEEN 1 AND 2147483647),
    report TEXT COLLATE "C" NOT NULL, marketplace TEXT COLLATE "C" NOT NULL, day DATE NOT NULL,
    destination TEXT COLLATE "C" NOT NULL, currency TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX rollup_slices_by_key ON rollup_slices (
    report, day, kind, currency, destination
);
CREATE INDEX rollup_slices_by_day ON rollup_slices (day, marketplace);
CREATE TABLE rollup_cells (
    cell BIGINT NOT NULL PRIMARY KEY, lines BIGINT NOT NULL, quantity TEXT COLLATE "C" NOT NULL,
    amount TEXT COLLATE "C" NOT NULL, orders BIGINT
) WITH (fillfactor = 70);

-- What was sold less what came back, in selling units, of each listing under each name: an item of a
-- declaration (NUMBER/ITEM), a declaration (NUMBER), or nothing (empty).
CREATE TABLE net_sold (
    listing TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
    quantity TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (listing, name)
);
