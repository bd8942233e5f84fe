-- The day on which the calendar alone changes something of a document: a certificate of a listing
-- ends, another fact about an exporter holds. What was written before is due on the first such day
-- after it was last written; if nothing comes of it, it is written again with the day after that.
ALTER TABLE listings ADD COLUMN due TEXT NOT NULL DEFAULT '9999-12-31';
ALTER TABLE exporters ADD COLUMN due TEXT NOT NULL DEFAULT '9999-12-31';
UPDATE listings SET due = COALESCE((
    SELECT MIN(date(json_extract(one.value, '$.valid_to'), '+1 day'))
    FROM json_each(json_extract(CAST(listings.body AS TEXT), '$.certificates')) AS one
    WHERE date(json_extract(one.value, '$.valid_to'), '+1 day')
        > date(json_extract(CAST(listings.body AS TEXT), '$.submitted_at'))
), '9999-12-31') WHERE state NOT IN ('DRAFT', 'WITHDRAWN');
UPDATE exporters SET due = COALESCE((
    SELECT MIN(day) FROM (
        SELECT json_extract(one.value, '$.valid_from') AS day
        FROM json_each(json_extract(CAST(exporters.body AS TEXT), '$.facts')) AS one
        UNION ALL
        SELECT date(json_extract(one.value, '$.valid_to'), '+1 day')
        FROM json_each(json_extract(CAST(exporters.body AS TEXT), '$.facts')) AS one
    ) WHERE day > date(json_extract(CAST(exporters.body AS TEXT), '$.updated_at'), '-3 hours')
), '9999-12-31');
CREATE INDEX listings_by_due ON listings (due, key) WHERE due < '9999-12-31';
CREATE INDEX exporters_by_due ON exporters (due, key) WHERE due < '9999-12-31';
