#!/usr/bin/env python3
"""Write Online Retail (UCI, CC BY 4.0) as a file of sale lines that `puente push sales` takes.

    python3 scripts/data/retail_lines.py online_retail_bench_original.csv.gz > retail.csv

The same rules as the bench: an invoice whose number begins with C is a CANCELLATION, one that is
neither that nor a number, or whose quantity or price is below zero, an ADJUSTMENT, all else a SALE.
Times are read as UTC. Nothing but the standard library is needed.
"""
import csv
import gzip
import sys

COLUMNS = "line_id,order_id,kind,sku,quantity,unit_price,currency,sold_at,destination".split(",")


def main(path: str) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        for number, row in enumerate(csv.DictReader(text)):
            invoice, quantity, price = row["InvoiceNo"], row["Quantity"], row["UnitPrice"]
            if invoice.startswith("C"):
                kind, quantity = "CANCELLATION", quantity.removeprefix("-")
            elif invoice.isdigit() and not quantity.startswith("-") and not price.startswith("-"):
                kind = "SALE"
            else:
                kind = "ADJUSTMENT"
            destination = "GB" if row["Country"] == "United Kingdom" else "DE"
            sold_at = row["InvoiceDate"].replace(" ", "T", 1) + "Z"
            line_id = f"OR-{number:07}"
            out.writerow([line_id, invoice, kind, row["StockCode"], quantity, price, "GBP", sold_at, destination])


if __name__ == "__main__":
    main(sys.argv[1])
