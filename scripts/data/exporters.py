#!/usr/bin/env python3
"""Write the demo's example exporters, in the exporters CSV format, to standard output.

    python3 scripts/data/exporters.py [COUNT] > exporters.csv

COUNT is 10000 when left out. The rule is integers only and is stated in data/README.md, so that
any other program makes the same file. These are examples: none of them exists.
"""
import csv
import datetime
import io
import sys

WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
PREFIXES = ["30"] * 12 + ["33"] + ["20"] * 4 + ["27"] * 3
PROVINCES = [
    ("B", 24), ("C", 14), ("M", 12), ("X", 10), ("S", 9), ("E", 4), ("T", 3), ("A", 3), ("R", 3),
    ("J", 3), ("N", 2), ("K", 1), ("W", 1), ("H", 1), ("U", 1), ("P", 1), ("Y", 1), ("L", 1),
    ("F", 1), ("Q", 1), ("D", 1), ("Z", 1), ("G", 1), ("V", 1),
]
SIZES = [("MICRO", 70), ("SMALL", 20), ("MEDIUM_1", 6), ("MEDIUM_2", 3), ("LARGE", 1)]
HEADER = ["cuit", "legal_name", "size_class", "province", "status", "cause", "legal_instrument",
          "valid_from", "valid_to", "ncm_chapters"]


def check_digit(ten):
    """The eleventh digit, or None where the rule gives 10."""
    rest = 11 - sum(w * int(d) for w, d in zip(WEIGHTS, ten)) % 11
    return None if rest == 10 else rest % 11


def pick(table, number):
    """The entry of a table of (name, weight) in which `number` falls."""
    for name, weight in table:
        if number < weight:
            return name
        number -= weight
    raise ValueError(number)


def exporters(count=10000):
    """The first `count` example exporters, in order, as dicts of the exporters format."""
    made, candidate = 0, 0
    while made < count:
        candidate += 1
        ten = PREFIXES[candidate % 20] + str(88_000_000 + candidate)
        digit = check_digit(ten)
        if digit is None:
            continue
        made += 1
        i = made
        t = i * 7919 % 10000
        u = i * 6007 % 10000
        status = "REVOKED" if u < 60 else "SUSPENDED" if u < 260 else "ELIGIBLE"
        eligible = status == "ELIGIBLE"
        if eligible:
            since = datetime.date(2010, 1, 1) + datetime.timedelta(days=i % 1000)
        else:
            since = datetime.date(2024, 1, 1) + datetime.timedelta(days=i % 365)
        yield {
            "cuit": ten + str(digit),
            "legal_name": f"Exportador de ejemplo {i:05}",
            "size_class": pick(SIZES, t // 100),
            "province": "AR-" + pick(PROVINCES, t % 100),
            "status": status,
            "cause": "" if eligible else "Causa de ejemplo",
            "legal_instrument": "" if eligible else f"Disposición de ejemplo {i:05}",
            "valid_from": since.isoformat(),
            "valid_to": "",
            "ncm_chapters": "03;20;22" if i % 25 == 7 else "",
        }


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = csv.DictWriter(out, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(exporters(count))
    out.flush()


if __name__ == "__main__":
    main()
