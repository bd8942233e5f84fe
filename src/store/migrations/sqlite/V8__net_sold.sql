-- What was sold less what came back, in selling units, of each listing under each name: an item of a
-- declaration (NUMBER/ITEM), a declaration (NUMBER), or nothing (empty). Kept by the write path;
-- decimals are exact text.
CREATE TABLE net_sold (
    listing TEXT NOT NULL, name TEXT NOT NULL, quantity TEXT NOT NULL,
    PRIMARY KEY (listing, name)
) STRICT, WITHOUT ROWID;
-- One row: the last line that is in those sums. A store whose lines go further, as an older version
-- leaves it, is added up anew when it is opened.
CREATE TABLE net_sold_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), line_seq INTEGER NOT NULL
) STRICT;
-- Which item a sale was matched to by hand, the last entry counts; no name: back to what it says.
CREATE TABLE line_rematches (
    line_seq INTEGER NOT NULL, entry_index INTEGER NOT NULL, name TEXT,
    rematched_by TEXT NOT NULL, rematched_at TEXT NOT NULL, reason TEXT NOT NULL,
    listing TEXT NOT NULL,
    PRIMARY KEY (line_seq, entry_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX line_rematches_by_listing ON line_rematches (listing, line_seq);
-- Lines that take a sale back and name a declaration of their own, which are few: a sale that comes
-- after them takes them with it.
CREATE INDEX sale_lines_naming_citers ON sale_lines (marketplace, original_line_id)
    WHERE declaration IS NOT NULL AND original_line_id IS NOT NULL;
