"""Reads an export with pyarrow and with Python's csv: both hold what the gateway sums up.

Usage: exported.py FILE.csv FILE.parquet SUMMARY.json

SUMMARY.json is `puente report summary --by kind --output json` over the same days.
"""

import collections
import csv
import datetime
import decimal
import json
import sys

import pyarrow as pa
import pyarrow.parquet

# What a kind makes of quantity and amount.
SIGNS = {"SALE": (1, 1), "RETURN": (-1, 0), "REFUND": (0, -1), "CANCELLATION": (-1, -1),
         "ADJUSTMENT": (1, 1)}
TYPES = {"line_id": pa.string(), "quantity": pa.decimal128(18, 6),
         "unit_price": pa.decimal128(22, 10), "tax": pa.decimal128(22, 10),
         "sold_at": pa.timestamp("us", tz="UTC"), "day": pa.date32(),
         "declaration_item": pa.int32(), "entry_index": pa.int64(), "kind": pa.string()}


def net(rows) -> dict:
    """Lines, quantity and amount by kind and currency, as the gateway counts them."""
    sums = collections.defaultdict(lambda: [0, decimal.Decimal(0), decimal.Decimal(0)])
    for row in rows:
        if "EXCEEDS_ORIGINAL" in (row["reasons"] or "").split(";") and not row["explanation"]:
            continue
        quantity = decimal.Decimal(row["quantity"])
        amount = quantity * decimal.Decimal(row["unit_price"])
        of_quantity, of_amount = SIGNS[row["kind"]]
        one = sums[row["kind"], row["currency"]]
        one[0] += 1
        one[1] += of_quantity * quantity
        one[2] += of_amount * amount
    return {key: tuple(value) for key, value in sums.items()}


def main(csv_file: str, parquet_file: str, summary_file: str) -> None:
    decimal.getcontext().prec = 60
    table = pyarrow.parquet.read_table(parquet_file)
    for column, kind in TYPES.items():
        assert table.schema.field(column).type == kind, table.schema.field(column)
    with open(csv_file, newline="", encoding="utf-8") as file:
        by_text = list(csv.DictReader(file, strict=True))
    by_columns = table.to_pylist()
    assert len(by_text) == len(by_columns) > 0
    for text, row in zip(by_text, by_columns):
        moment = datetime.datetime.fromisoformat(text["sold_at"])
        assert row["sold_at"] == moment and text["sold_at"].endswith(row["sold_at_offset"]), text
        assert row["day"] == moment.date(), text
        for column in text.keys() & row.keys() - {"sold_at"}:
            value, shown = row[column], text[column]
            if isinstance(value, decimal.Decimal):
                assert value == decimal.Decimal(shown), (column, value, shown)
            else:
                assert ("" if value is None else str(value)) == shown, (column, value, shown)
    summary = {}
    for row in json.load(open(summary_file, encoding="utf-8"))["rows"]:
        amount, quantity = (decimal.Decimal(row[name]["value"]) for name in ("amount", "quantity"))
        key = row["dimensions"]["kind"], row["currency"]
        summary[key] = int(row["lines"]), quantity, amount
    assert net(by_text) == summary == net(by_columns), (net(by_text), summary, net(by_columns))
    print(f"export: {len(by_columns)} lines in both files, {len(summary)} sums as the gateway's")


if __name__ == "__main__":
    main(*sys.argv[1:])
