-- The ledger entry of the last batch that a report took: when it last changed.
ALTER TABLE report_progress ADD COLUMN last_entry INTEGER;
UPDATE report_progress SET last_entry = (
    SELECT MAX(entry_index) FROM sale_lines WHERE sale_lines.report = report_progress.report
);
-- Reports that were abandoned are looked for with every line that was there before.
CREATE INDEX sales_reports_by_state ON sales_reports (state, key);
