"""Runs the gateway as an operator would, and lets others' clients at it.

Usage: run.py --puente BINARY --buf BUF [--only NAME...]

Makes a throw-away folder with `puente init`, serves it on free ports, fills it through the command
line, and runs each check below. Every check is a function that raises on failure.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE / "python"))

ELIGIBLE = "30880000019"  # the first of the example exporters


class Gateway:
    """A gateway in a folder of its own."""

    def __init__(self, puente: str, folder: pathlib.Path):
        self.puente, self.folder, self.process = puente, folder, None

    def run(self, *arguments: str, profile: str | None = None, fails: bool = False) -> str:
        """Runs a command of the client and answers what it printed."""
        command = [self.puente, *arguments]
        if profile:
            command += ["--profile", str(self.folder / "profiles" / f"{profile}.toml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n"
                                 f"{done.stdout}\n{done.stderr}")
        return done.stderr if fails else done.stdout

    def start(self) -> None:
        ports = free_ports(2)
        self.endpoint = f"https://127.0.0.1:{ports[0]}"
        self.run("init", str(self.folder), "--listen", f"127.0.0.1:{ports[0]}",
                 "--admin-listen", f"127.0.0.1:{ports[1]}")
        self.serve()

    def serve(self) -> None:
        log = open(self.folder / "serve.log", "a")
        self.process = subprocess.Popen(
            [self.puente, "serve", "--config", str(self.folder / "puente.toml")],
            stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if "ready" not in line:
            raise AssertionError(f"not ready: {line!r}\n{(self.folder / 'serve.log').read_text()}")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            if self.process.wait(timeout=60) != 0:
                raise AssertionError(f"serve ended with {self.process.returncode}")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def fill(gateway: Gateway) -> None:
    """Exporters, listings and their clearance, by the command line."""
    exporters = gateway.folder / "exporters.csv"
    made = subprocess.run([sys.executable, str(ROOT / "scripts/data/exporters.py")],
                          capture_output=True, text=True, check=True)
    exporters.write_text(made.stdout)
    gateway.run("sync", "exporters", str(exporters), profile="registry")
    gateway.run("push", "listings", str(ROOT / "data/listings.csv"), profile="marketplace")
    for authority in ("customs", "inv", "senasa", "inal"):
        gateway.run("clear", "--all", profile=authority)


def check_python(gateway: Gateway, options) -> None:
    subprocess.run([sys.executable, str(HERE / "python/exchange.py"),
                    str(gateway.folder / "profiles"), str(gateway.folder / "stubs"), ELIGIBLE],
                   check=True, timeout=300)


def check_proof(gateway: Gateway, options) -> None:
    """An inclusion proof, checked by aics-tlog; one flipped byte is noticed."""
    script = [sys.executable, str(HERE / "python/check_proof.py")]
    key = (gateway.folder / "ledger" / "vkey.txt").read_text().strip()
    proof = gateway.folder / "stubs" / "python.tlog-proof"
    subprocess.run([*script, str(proof), "--vkey", key], check=True, timeout=60)
    text = bytearray(proof.read_bytes())
    text[len(text) // 2] ^= 1
    wrong = gateway.folder / "wrong.tlog-proof"
    wrong.write_bytes(bytes(text))
    done = subprocess.run([*script, str(wrong), "--vkey", key], capture_output=True, timeout=60)
    if done.returncode == 0:
        raise AssertionError("a proof with a flipped byte was accepted")


def check_node(gateway: Gateway, options) -> None:
    subprocess.run(["node", str(HERE / "node/exchange.mjs"), str(gateway.folder / "profiles"),
                    ELIGIBLE], check=True, timeout=300)


def check_buf_curl(gateway: Gateway, options) -> None:
    """The same by `buf curl`: schema from proto/ and by reflection."""
    import base64
    import uuid
    import puente_client
    from google.rpc import error_details_pb2

    def curl(partner, method: str, *messages: dict, reflect: bool = False, fails: bool = False):
        schema = ["--reflect"] if reflect else ["--schema", str(ROOT / "proto")]
        token = partner.token()["access_token"]
        command = [options.buf, "curl", "--protocol", "grpc", *schema,
                   "--cacert", partner.ca, "--cert", partner.certificate, "--key", partner.key,
                   "-H", f"Authorization: Bearer {token}", "-d", "@-",
                   f"{partner.endpoint}/{method}"]
        text = "\n".join(json.dumps(message) for message in messages)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        if (done.returncode != 0) != fails:
            raise AssertionError(f"buf curl {method}: {done.stdout} {done.stderr}")
        if fails:
            return json.loads(done.stderr)
        decoder, answers, rest = json.JSONDecoder(), [], done.stdout.strip()
        while rest:
            answer, end = decoder.raw_decode(rest)
            answers.append(answer)
            rest = rest[end:].strip()
        return answers

    marketplace = puente_client.Partner(str(gateway.folder / "profiles/marketplace.toml"))
    ministry = puente_client.Partner(str(gateway.folder / "profiles/ministry.toml"))
    verify = "puente.sellers.v1.SellerService/VerifySeller"
    for reflect in (False, True):
        [answer] = curl(marketplace, verify, {"cuit": ELIGIBLE}, reflect=reflect)
        assert answer["answer"]["verdict"] == "VERDICT_ELIGIBLE", answer
    refused = curl(marketplace, verify, {"cuit": "30-50001091-3"}, fails=True)
    assert refused["code"] == "invalid_argument", refused
    details = {d["type"]: base64.b64decode(d["value"] + "==") for d in refused["details"]}
    info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
    bad = error_details_pb2.BadRequest.FromString(details["google.rpc.BadRequest"])
    assert (info.reason, bad.field_violations[0].field) == ("INVALID_CUIT", "cuit"), refused

    period = {"first": {"year": 2025, "month": 5, "day": 1},
              "last": {"year": 2025, "month": 5, "day": 31}}
    sales = "puente.sales.v1.SalesReportService"
    [opened] = curl(marketplace, f"{sales}/OpenSalesReport",
                    {"request_id": str(uuid.uuid4()), "period": period})
    report = opened["report"]["name"]
    line = {"line_id": "buf-1", "order_id": "b-1", "kind": "LINE_KIND_SALE", "sku": "AR-WINE-003",
            "quantity": "4", "unit_price": "2.50", "currency": "USD",
            "sold_at": "2025-05-05T10:00:00+08:00"}
    [appended] = curl(marketplace, f"{sales}/AppendSaleLines",
                      {"report": report, "batch": {"request_id": str(uuid.uuid4()),
                                                   "lines": [line]}})
    assert appended["result"]["receipt"]["requestId"], appended
    curl(marketplace, f"{sales}/SealSalesReport", {"request_id": str(uuid.uuid4()), "name": report})
    [top] = curl(ministry, "puente.sales.v1.SalesAnalyticsService/TopProducts",
                 {"period": period, "limit": 1, "measure": "MEASURE_AMOUNT"})
    assert top["products"][0]["sku"] == "AR-WINE-003", top
    print(f"buf curl: verified {ELIGIBLE}, pushed 1 line into {report}")


def check_protovalidate(gateway: Gateway, options) -> None:
    subprocess.run([sys.executable, str(HERE / "python/agreement.py"),
                    str(gateway.folder / "profiles"), str(gateway.folder / "stubs")],
                   check=True, timeout=300)


def check_export(gateway: Gateway, options) -> None:
    """An export as CSV and as Parquet, read by others, sums up to what the gateway says."""
    days, rows = "2024-02-01..2024-02-29", []
    for n in range(400):
        sale = f"E-{n:04},O-{n // 3},SALE,,AR-WINE-{1 + n % 7:03},{n % 9}.{n % 4:03}," \
               f"{n}.{n * 7919 % 10**7:07},{('USD', 'CNY')[n % 2]}"
        rows.append(f"{sale},2024-02-{1 + n % 29:02}T{n % 24:02}:00:00+08:00,CN-SH")
        kind = ("RETURN", "REFUND", "CANCELLATION", "ADJUSTMENT", None, None)[n % 6]
        if kind:
            sign = "-" if kind == "ADJUSTMENT" else ""
            rows.append(f"F-{n:04},O-{n // 3},{kind},E-{n:04},AR-WINE-001,{sign}{n % 5}.5,"
                        f"1.{n:03},{('USD', 'CNY')[n % 2]},2024-02-28T23:30:00.000{n:03}-03:00,")
    sales, csv, parquet = (gateway.folder / f"export{end}" for end in (".in", ".csv", ".parquet"))
    header = "line_id,order_id,kind,original_line_id,sku,quantity,unit_price,currency,sold_at," \
             "destination"
    sales.write_text("\n".join([header, *rows]) + "\n")
    gateway.run("push", "sales", str(sales), "--period", days, profile="marketplace")
    for file in (csv, parquet):
        gateway.run("report", "export", "--period", days, "--format", file.suffix[1:],
                    "--to", str(file), profile="customs")
    summary = gateway.folder / "export.json"
    summary.write_text(gateway.run("report", "summary", "--period", days, "--by", "kind",
                                   "--output", "json", profile="customs"))
    subprocess.run([sys.executable, str(HERE / "python/exported.py"), str(csv), str(parquet),
                    str(summary)], check=True, timeout=120)


def check_docs(gateway: Gateway, options) -> None:
    """Every ```sh block of README and docs runs, in order, against this gateway.

    The folder /tmp/puente of the texts stands for the gateway's own. What starts a gateway, builds,
    or runs the two commands of the README is what got us here, and is left out.
    """
    ours = re.compile(r"cargo |scripts/test|puente init |puente serve |npm ci|pip install ")
    env = {**os.environ, "PATH": f"{pathlib.Path(options.puente).parent}:"
                                 f"{pathlib.Path(options.buf).parent}:"
                                 f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    count = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S):
            mine = block.replace("/tmp/puente", str(gateway.folder))
            mine = mine.replace("https://127.0.0.1:8443", gateway.endpoint)
            script = "\n".join(line for line in mine.splitlines() if not ours.search(line))
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=env,
                                  capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise AssertionError(f"{page.name}: this block fails:\n{block}\n{done.stdout}"
                                     f"\n{done.stderr}")
            count += 1
    if count == 0:
        raise AssertionError("README and docs hold no ```sh block: has the fence changed?")
    print(f"docs: {count} blocks of README and docs ran")


CHECKS = {"python": check_python, "proof": check_proof, "node": check_node,
          "buf": check_buf_curl, "protovalidate": check_protovalidate,
          "export": check_export, "docs": check_docs}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--puente", required=True, type=os.path.abspath)
    parser.add_argument("--buf", required=True, type=os.path.abspath)
    parser.add_argument("--only", nargs="*", choices=CHECKS, default=list(CHECKS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="puente-foreign-") as folder:
        gateway = Gateway(options.puente, pathlib.Path(folder) / "puente")
        gateway.start()
        try:
            fill(gateway)
            passed = 0
            for name in options.only:
                began = time.monotonic()
                CHECKS[name](gateway, options)
                passed += 1
                print(f"foreign {name}: ok ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            gateway.stop()
    print(f"foreign: {passed} passed, 0 failed")


if __name__ == "__main__":
    main()
