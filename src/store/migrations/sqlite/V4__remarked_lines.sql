-- Lines with something odd about them, which are few, by report.
CREATE INDEX sale_lines_remarked ON sale_lines (report, line_seq) WHERE verdict <> 'ACCEPTED';
