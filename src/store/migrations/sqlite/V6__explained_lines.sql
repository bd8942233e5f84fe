-- Why a line that exceeds its sale counts all the same.
CREATE TABLE line_explanations (
    line_seq INTEGER NOT NULL PRIMARY KEY, cause TEXT NOT NULL, evidence TEXT NOT NULL,
    explained_by TEXT NOT NULL, explained_at TEXT NOT NULL, entry_index INTEGER NOT NULL
) STRICT;
CREATE INDEX line_explanations_by_time ON line_explanations (explained_at);
ALTER TABLE report_progress ADD COLUMN explained INTEGER NOT NULL DEFAULT 0;
-- A line that exceeds its sale has the cell that it will count in. Those stored before this had
-- none: theirs is that of the sale they cite, but for their own day, kind, currency and destination.
INSERT OR IGNORE INTO rollup_cells (
    report, marketplace, day, listing, seller, ncm, channel, province, size_class, destination,
    currency, kind, lines, quantity, amount
) SELECT l.report, l.marketplace, l.day, c.listing, c.seller, c.ncm, c.channel, c.province,
    c.size_class, l.destination, l.currency, l.kind, 0, '0', '0'
FROM sale_lines l
JOIN line_identity i ON i.marketplace = l.marketplace AND i.line_id = l.original_line_id
JOIN sale_lines s ON s.line_seq = i.line_seq
JOIN rollup_cells c ON c.cell = s.cell
WHERE l.cell IS NULL AND l.verdict <> 'ACCEPTED';
UPDATE sale_lines SET cell = (
    SELECT own.cell FROM line_identity i
    JOIN sale_lines s ON s.line_seq = i.line_seq
    JOIN rollup_cells c ON c.cell = s.cell
    JOIN rollup_cells own ON own.report = sale_lines.report AND own.day = sale_lines.day
        AND own.listing = c.listing AND own.kind = sale_lines.kind
        AND own.currency = sale_lines.currency AND own.destination = sale_lines.destination
        AND own.seller = c.seller AND own.ncm = c.ncm AND own.channel = c.channel
        AND own.province = c.province AND own.size_class = c.size_class
    WHERE i.marketplace = sale_lines.marketplace AND i.line_id = sale_lines.original_line_id
) WHERE cell IS NULL AND verdict <> 'ACCEPTED';
