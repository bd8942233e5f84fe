-- Items that were shipped before there were settlements get theirs by the sweep that follows a load of
-- the terms, which is due once.
UPDATE reference_tables SET state = 'TO_APPLY' WHERE key = 'settlement_terms';
