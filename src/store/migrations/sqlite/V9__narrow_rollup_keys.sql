-- Rollup cells under one integer: the number of a slice and, in its lower 32 bits, that of goods.
-- What was sold, as it was known then; the listing says whose marketplace it is.
CREATE TABLE rollup_goods (
    goods INTEGER NOT NULL PRIMARY KEY CHECK (goods BETWEEN 1 AND 4294967295),
    listing TEXT NOT NULL, seller TEXT NOT NULL, ncm TEXT NOT NULL, channel TEXT NOT NULL,
    province TEXT NOT NULL, size_class TEXT NOT NULL
) STRICT;
-- What lines of a report have in common besides what was sold. Numbers ascend as slices appear, so
-- that the cells of lines that come together lie together.
CREATE TABLE rollup_slices (
    slice INTEGER NOT NULL PRIMARY KEY CHECK (slice BETWEEN 1 AND 2147483647),
    report TEXT NOT NULL, marketplace TEXT NOT NULL, day TEXT NOT NULL,
    destination TEXT NOT NULL, currency TEXT NOT NULL, kind TEXT NOT NULL
) STRICT;
CREATE TABLE narrow_cells (
    cell INTEGER NOT NULL PRIMARY KEY,
    lines INTEGER NOT NULL, quantity TEXT NOT NULL, amount TEXT NOT NULL, orders INTEGER
) STRICT;

INSERT INTO rollup_goods (listing, seller, ncm, channel, province, size_class)
SELECT listing, seller, ncm, channel, province, size_class FROM rollup_cells
GROUP BY listing, seller, ncm, channel, province, size_class;
INSERT INTO rollup_slices (report, marketplace, day, destination, currency, kind)
SELECT report, MIN(marketplace), day, destination, currency, kind FROM rollup_cells
GROUP BY report, day, kind, currency, destination;
CREATE UNIQUE INDEX rollup_goods_by_key ON rollup_goods (
    listing, seller, ncm, channel, province, size_class
);
CREATE UNIQUE INDEX rollup_slices_by_key ON rollup_slices (
    report, day, kind, currency, destination
);
CREATE INDEX rollup_slices_by_day ON rollup_slices (day, marketplace);

CREATE TABLE narrowed (cell INTEGER NOT NULL PRIMARY KEY, narrow INTEGER NOT NULL) STRICT;
INSERT INTO narrowed (cell, narrow)
SELECT c.cell, s.slice << 32 | g.goods
FROM rollup_cells c
CROSS JOIN rollup_slices s ON s.report = c.report AND s.day = c.day AND s.kind = c.kind
    AND s.currency = c.currency AND s.destination = c.destination
CROSS JOIN rollup_goods g ON g.listing = c.listing AND g.seller = c.seller AND g.ncm = c.ncm
    AND g.channel = c.channel AND g.province = c.province AND g.size_class = c.size_class;
INSERT INTO narrow_cells (cell, lines, quantity, amount, orders)
SELECT n.narrow, c.lines, c.quantity, c.amount, c.orders
FROM rollup_cells c JOIN narrowed n ON n.cell = c.cell ORDER BY n.narrow;
UPDATE sale_lines SET cell = (SELECT n.narrow FROM narrowed n WHERE n.cell = sale_lines.cell)
WHERE cell IS NOT NULL;
DROP TABLE narrowed;
DROP TABLE rollup_cells;
ALTER TABLE narrow_cells RENAME TO rollup_cells;
