#!/usr/bin/env python3
"""Compute what the demo must find, from the committed files alone, and write data/expected.json.

    python3 scripts/data/expected.py > data/expected.json

This is the demo's check and shares no code with the gateway: exact rationals, no rounding.
The rules are those of data/README.md. Amounts are exact decimals as text.
"""
import csv
import datetime
import json
import pathlib
import sys
from collections import defaultdict
from decimal import Decimal, getcontext

from exporters import exporters

getcontext().prec = 60
DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
REPORTS = [
    ("2014-01-01", "2014-12-31"),
    ("2015-01-01", "2015-12-31"),
    ("2016-01-01", "2016-12-31"),
    ("2017-01-01", "2018-01-01"),
]
SIGNS = {"SALE": (1, 1), "CANCELLATION": (-1, -1), "RETURN": (-1, 0), "REFUND": (0, -1)}


def rows(path):
    with open(DATA / path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def text(value):
    """An exact decimal without exponent or trailing zeros."""
    if isinstance(value, int):
        return str(value)
    out = format(value, "f")
    return (out.rstrip("0").rstrip(".") if "." in out else out) or "0"


def lines():
    """Every line of the demo, in the order in which the demo pushes them."""
    source, listings = rows("sales/superstore.csv"), rows("listings.csv")

    sold = defaultdict(Decimal)
    for row in source:
        sold[row["product_id"]] += Decimal(row["sales"])
    ranked = sorted(sold, key=lambda product: (-sold[product], product))
    listing_of = {product: listings[k % len(listings)] for k, product in enumerate(ranked)}

    regions = [r["code"] for r in rows("reference/regions.csv")][:31]
    states = sorted({row["state"] for row in source})
    region_of = {state: regions[k % len(regions)] for k, state in enumerate(states)}

    for row in source:
        number, day = int(row["row_id"]), datetime.date.fromisoformat(row["order_date"])
        quantity, sales = int(row["quantity"]), Decimal(row["sales"])
        price = sales / quantity
        assert price * quantity == sales, row
        made = [("SALE", "", 0)]
        if number % 97 == 0:
            made += [("RETURN", "-RT", 7), ("REFUND", "-RF", 7)]
        if number % 211 == 0:
            made += [("CANCELLATION", "-CN", 1)]
        for kind, suffix, days in made:
            q, a = SIGNS[kind]
            yield {
                "line_id": f"SS-{number:05}{suffix}",
                "original": "" if kind == "SALE" else f"SS-{number:05}",
                "order": row["order_id"],
                "kind": kind,
                "listing": listing_of[row["product_id"]],
                "day": (day + datetime.timedelta(days=days)).isoformat(),
                "destination": region_of[row["state"]],
                "quantity": q * quantity,
                "amount": a * sales,
                "price": price,
            }


def totals(chosen):
    """Lines, net quantity and net amount of some lines."""
    return {
        "lines": len(chosen),
        "quantity": text(sum(line["quantity"] for line in chosen)),
        "amount": text(sum((line["amount"] for line in chosen), Decimal(0))),
    }


def grouped(all_lines, key):
    found = defaultdict(list)
    for line in all_lines:
        found[key(line)].append(line)
    return {name: totals(found[name]) for name in sorted(found)}


def main():
    every = list(lines())
    province_of = {one["cuit"]: one["province"] for one in exporters()}
    by_sku = defaultdict(lambda: {"quantity": 0, "amount": Decimal(0), "orders": set()})
    ncm = {}
    for line in every:
        sku = line["listing"]["sku"]
        ncm[sku] = line["listing"]["ncm"]
        by_sku[sku]["quantity"] += line["quantity"]
        by_sku[sku]["amount"] += line["amount"]
        if line["kind"] == "SALE":
            by_sku[sku]["orders"].add(line["order"])
    measures = {
        "amount": lambda v: v["amount"],
        "quantity": lambda v: v["quantity"],
        "orders": lambda v: len(v["orders"]),
    }
    top = {}
    for name, measure in measures.items():
        ranked = sorted(by_sku, key=lambda sku: (-measure(by_sku[sku]), sku))[:10]
        top[name] = {
            "rows": [{"sku": sku, "value": text(measure(by_sku[sku]))} for sku in ranked],
            "wines": sum(ncm[sku].startswith("2204") for sku in ranked),
        }
    days = [line["day"] for line in every]
    reports = []
    for first, last in REPORTS:
        held = [line for line in every if first <= line["day"] <= last]
        pairs = {(one["order"], one["listing"]["sku"]) for one in held if one["kind"] == "SALE"}
        reports.append({"first": first, "last": last, "lines": len(held), "orders": len(pairs)})
    result = {
        "currency": "USD",
        "period": {"first": min(days), "last": max(days)},
        "orders": len({line["order"] for line in every}),
        "orders_by_listing": sum(len(one["orders"]) for one in by_sku.values()),
        "listings": len(by_sku),
        "reports": reports,
        "net": totals(every),
        "by_kind": grouped(every, lambda line: line["kind"]),
        "by_month": grouped(every, lambda line: line["day"][:7]),
        "by_ncm_chapter": grouped(every, lambda line: line["listing"]["ncm"][:2]),
        "by_seller_province": grouped(every, lambda line: province_of[line["listing"]["seller_cuit"]]),
        "by_channel": grouped(every, lambda line: line["listing"]["channel"]),
        "by_destination": grouped(every, lambda line: line["destination"]),
        "top": top,
        "by_sku": {
            sku: {name: text(measure(by_sku[sku])) for name, measure in measures.items()}
            for sku in sorted(by_sku)
        },
    }
    json.dump(result, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
