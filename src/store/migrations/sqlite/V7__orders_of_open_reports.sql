-- Until a report is sealed, each line of kind SALE counts as an order of its cell.
UPDATE rollup_cells SET orders = lines WHERE orders IS NULL AND kind = 'SALE';
