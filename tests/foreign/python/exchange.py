"""Token, VerifySeller, a push of lines, TopProducts, and typed error details, in Python.

Usage: exchange.py PROFILES_DIR STUBS_DIR ELIGIBLE_CUIT
"""

import pathlib
import sys
import uuid

import grpc

import puente_client as puente


def main(profiles: str, stubs: str, cuit: str) -> None:
    puente.generate(pathlib.Path(stubs))
    from puente.common.v1 import period_pb2
    from puente.ledger.v1 import ledger_pb2, ledger_pb2_grpc
    from puente.sales.v1 import (analytics_pb2, analytics_pb2_grpc, reports_pb2, reports_pb2_grpc,
                                 sale_line_pb2)
    from puente.sellers.v1 import sellers_pb2, sellers_pb2_grpc
    from google.type import date_pb2

    def day(year, month, number):
        return date_pb2.Date(year=year, month=month, day=number)

    marketplace = puente.Partner(f"{profiles}/marketplace.toml")
    channel = marketplace.channel()

    sellers = sellers_pb2_grpc.SellerServiceStub(channel)
    answer = sellers.VerifySeller(sellers_pb2.VerifySellerRequest(cuit=cuit)).answer
    assert answer.verdict == sellers_pb2.VERDICT_ELIGIBLE, answer

    try:
        sellers.VerifySeller(sellers_pb2.VerifySellerRequest(cuit="30-50001091-3"))
        raise AssertionError("a CUIT with a wrong check digit was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        assert puente.reason_of(error) == ("INVALID_CUIT", ["cuit"]), puente.reason_of(error)

    # A token for less than the grant; what it leaves out is refused by name.
    narrow = marketplace.channel(scope="reference.read")
    try:
        sellers_pb2_grpc.SellerServiceStub(narrow).VerifySeller(
            sellers_pb2.VerifySellerRequest(cuit=cuit))
        raise AssertionError("a token without the scope was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED, error
        assert puente.reason_of(error)[0] == "SCOPE_MISSING"

    reports = reports_pb2_grpc.SalesReportServiceStub(channel)
    period = period_pb2.Period(first=day(2025, 3, 1), last=day(2025, 3, 31))
    report = reports.OpenSalesReport(reports_pb2.OpenSalesReportRequest(
        request_id=str(uuid.uuid4()), period=period)).report

    def line(number):
        return sale_line_pb2.SaleLine(
            line_id=f"py-{number}", order_id=f"order-{number // 3}", sku="AR-WINE-001",
            kind=sale_line_pb2.LINE_KIND_SALE, quantity="2", unit_price="7.125", currency="USD",
            sold_at=f"2025-03-{1 + number % 28:02}T12:00:00+08:00", destination="CN-SH")

    def messages():
        yield reports_pb2.PushSaleLinesRequest(start=reports_pb2.PushStart(report=report.name))
        for first in range(0, 600, 100):
            lines = [line(number) for number in range(first, first + 100)]
            if first == 0:
                lines.append(line(7))  # a line sent twice counts once
            yield reports_pb2.PushSaleLinesRequest(batch=reports_pb2.SaleLineBatch(
                request_id=str(uuid.uuid4()), first_line=first, lines=lines))

    accepted, duplicates, receipt = 0, 0, None
    for message in reports.PushSaleLines(messages()):
        if message.WhichOneof("part") == "result":
            counts = message.result.counts
            accepted += counts.accepted + counts.accepted_with_warning
            duplicates += counts.duplicate
            receipt = message.result.receipt
    assert (accepted, duplicates) == (600, 1), (accepted, duplicates)
    sealed = reports.SealSalesReport(reports_pb2.SealSalesReportRequest(
        request_id=str(uuid.uuid4()), name=report.name)).report
    assert sealed.totals[0].amount.value == "8550", sealed.totals

    ministry = puente.Partner(f"{profiles}/ministry.toml").channel()
    top = analytics_pb2_grpc.SalesAnalyticsServiceStub(ministry).TopProducts(
        analytics_pb2.TopProductsRequest(period=period, limit=3,
                                         measure=analytics_pb2.MEASURE_AMOUNT))
    assert top.products[0].sku == "AR-WINE-001" and top.products[0].amount.value == "8550", top

    # Which is why a receipt can be checked by anybody: see check_proof.py.
    ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
    proof = ledger.GetProof(ledger_pb2.GetProofRequest(index=receipt.index)).tlog_proof
    pathlib.Path(stubs, "python.tlog-proof").write_text(proof)
    print(f"python: verified {answer.cuit}, pushed 600 lines into {report.name}, "
          f"entry {receipt.index}")


if __name__ == "__main__":
    main(*sys.argv[1:])
