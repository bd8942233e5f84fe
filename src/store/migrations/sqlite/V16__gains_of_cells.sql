-- What cells gain is gathered here before it is added to their sums, many of a page at once.
ALTER TABLE rollup_cells RENAME TO cell_sums;
CREATE TABLE cell_gains (
    cell INTEGER NOT NULL PRIMARY KEY,
    lines INTEGER NOT NULL, quantity TEXT NOT NULL, amount TEXT NOT NULL, orders INTEGER
) STRICT;
-- Whoever reads cells reads them here, each once and whole. The store's connections know exact_sum;
-- both halves have the same types, without which SQLite would make the whole view for one cell.
CREATE VIEW rollup_cells (cell, lines, quantity, amount, orders) AS
SELECT summed.cell, summed.lines, summed.quantity, summed.amount, summed.orders
FROM cell_sums summed
WHERE NOT EXISTS (SELECT 1 FROM cell_gains gained WHERE gained.cell = summed.cell)
UNION ALL
SELECT gained.cell, CAST(gained.lines + IFNULL(summed.lines, 0) AS INTEGER),
    CAST(exact_sum(gained.quantity, summed.quantity) AS TEXT),
    CAST(exact_sum(gained.amount, summed.amount) AS TEXT),
    CAST(IFNULL(summed.orders + gained.orders, IFNULL(summed.orders, gained.orders)) AS INTEGER)
FROM cell_gains gained LEFT JOIN cell_sums summed ON summed.cell = gained.cell;
