#!/usr/bin/env python3
"""Write data/declarations.csv and data/shipments.csv: what left before the demo's sales.

    python3 scripts/data/declarations.py declarations > data/declarations.csv
    python3 scripts/data/declarations.py shipments > data/shipments.csv

The rule is in data/README.md: each year's goods left at the end of the year before, as much as
was sold net in the year, but for some listings more or less of the last year's.
"""
import csv
import io
import sys
from collections import defaultdict
from decimal import Decimal

from expected import lines, rows, text

YEARS = [2014, 2015, 2016, 2017]
DECLARATIONS = ["declaration", "item", "exporter_cuit", "declarant_cuit", "sku", "ncm", "destination", "incoterm",
                "declared_quantity", "statistical_unit", "fob", "currency", "officialised_on"]
SHIPMENTS = ["declaration", "item", "shipped_quantity", "shipped_on", "reference", "post_shipment"]
INCOTERMS = ["FOB", "FCA", "CIF", "CPT"]
CASE = 12
PARTED = 120


def left(position, year, sold):
    """How many pieces of the listing at this position, from 1, left for a year in which so many were sold net."""
    if year != YEARS[-1]:
        return sold
    return {3: sold + sold // 4 + 1, 7: sold - 5, 5: sold + 2}.get(position % 10, sold)


def items():
    """The items in file order, each with its shipments."""
    listings = rows("listings.csv")
    sold = defaultdict(int)
    for line in lines():
        year = min(int(line["day"][:4]), YEARS[-1])
        sold[line["listing"]["sku"], year] += line["quantity"]
    exporters = list(dict.fromkeys(one["seller_cuit"] for one in listings[:-1]))
    broker = exporters[0]
    for year in YEARS:
        for e, exporter in enumerate(exporters, start=1):
            office = "001" if e % 2 else "073"
            declaration = f"{(year - 1) % 100:02}{office}EC01{e:06}{chr(ord('A') + e % 26)}"
            number = 0
            # The last listing is sold without any declaration.
            for position, listing in enumerate(listings[:-1], start=1):
                pieces = left(position, year, sold[listing["sku"], year])
                if listing["seller_cuit"] != exporter or pieces <= 0:
                    continue
                number += 1
                declared = (pieces + CASE - 1) // CASE * CASE
                factor = Decimal(listing["statistical_factor"])
                first = pieces if pieces <= PARTED else pieces // 2
                parts = [(first, f"{year - 1}-12-01")] + [(pieces - first, f"{year}-03-01")] * (first < pieces)
                yield {
                    "declaration": declaration,
                    "item": number,
                    "exporter_cuit": exporter,
                    # Small exporters let somebody else declare.
                    "declarant_cuit": exporter if e % 3 else broker,
                    "sku": listing["sku"],
                    "ncm": listing["ncm"],
                    "destination": listing["destination"],
                    "incoterm": INCOTERMS[e % len(INCOTERMS)],
                    "declared_quantity": text(declared * factor),
                    "statistical_unit": listing["statistical_unit"],
                    "fob": text(declared * Decimal(listing["price"])),
                    "currency": listing["currency"],
                    "officialised_on": f"{year - 1}-11-15",
                }, [
                    {
                        "declaration": declaration,
                        "item": number,
                        "shipped_quantity": text(part * factor),
                        "shipped_on": day,
                        "reference": f"EJEMPLO-{declaration[:2]}-{e:03}-{1 if day.endswith('12-01') else 2}",
                        # Less left than was declared: the last shipment says so.
                        "post_shipment": "true" if pieces < declared and (part, day) == parts[-1] else "",
                    }
                    for part, day in parts
                ]


def main(which):
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = csv.DictWriter(out, DECLARATIONS if which == "declarations" else SHIPMENTS, lineterminator="\n")
    writer.writeheader()
    for item, shipments in items():
        writer.writerows([item] if which == "declarations" else shipments)
    out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
