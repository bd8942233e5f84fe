"""The official protovalidate and the server agree on every sample of a table of messages.

Usage: agreement.py PROFILES_DIR STUBS_DIR

Each sample is a good message with one thing changed. protovalidate judges it by the rules in the
proto alone; the server judges it by its own parsers. A message that both find well-formed may still
be refused for what it means (NOT_FOUND, FAILED_PRECONDITION), which is not what is compared.
"""

import copy
import pathlib
import sys
import uuid

import grpc
import protovalidate
from google.protobuf import json_format

import puente_client

PERIOD = {"first": {"year": 2031, "month": 1, "day": 1}, "last": {"year": 2031, "month": 1, "day": 31}}
UNKNOWN_REPORT = "salesReports/00000000-0000-8000-8000-000000000000"
UNKNOWN_DELEGATION = "delegations/00000000-0000-8000-8000-000000000000"
UNKNOWN_LISTING = "listings/00000000-0000-8000-8000-000000000000"
REQUEST_ID = str(uuid.uuid4())

LINE = {"lineId": "agree-1", "orderId": "o-1", "kind": "LINE_KIND_SALE", "sku": "AR-WINE-001",
        "quantity": "1", "unitPrice": "2.5", "currency": "USD", "soldAt": "2031-01-05T10:00:00Z"}
LISTING = {"sku": "AGREE-1", "sellerCuit": "30880000019", "title": "Miel de abeja Ñandú",
           "ncm": "0409.00.00", "channel": "CHANNEL_OFFICIAL_STORE", "unit": "C62",
           "statisticalUnit": "KGM", "statisticalFactor": {"value": "0.5"},
           "price": {"value": "6.40"}, "currency": "USD"}
DECLARATION_NAME = "declarations/18817EC08028500L"
DECLARED = {"item": 1, "sku": "AR-WINE-001", "ncm": "2204.21.00", "declaredQuantity": {"value": "7200"},
            "statisticalUnit": "LTR", "fob": {"value": "98400.50"}, "currency": "USD"}
DECLARATION = {"number": "18817EC08028500L", "exporterCuit": "30880000019", "incoterm": "INCOTERM_FOB",
               "destination": "CN", "officialisedOn": {"year": 2018, "month": 5, "day": 2},
               "items": [DECLARED]}
SHIPMENT = {"item": 1, "quantity": {"value": "3600.5"}, "shippedOn": {"year": 2018, "month": 6, "day": 1}}

RATE = {"from": "ARS", "to": "USD", "rate": {"value": "0.00068"}, "source": "Banco de ejemplo",
        "date": {"year": 2031, "month": 1, "day": 31}}

# (method, partner, good message)
BASES = {
    "verify": ("sellers.v1.SellerService/VerifySeller", "marketplace", {"cuit": "30-50001091-2"}),
    "batch_verify": ("sellers.v1.SellerService/BatchVerifySellers", "marketplace",
                     {"cuits": ["30-50001091-2"]}),
    "open": ("sales.v1.SalesReportService/OpenSalesReport", "marketplace",
             {"requestId": REQUEST_ID, "period": PERIOD, "validateOnly": True}),
    "append": ("sales.v1.SalesReportService/AppendSaleLines", "marketplace",
               {"report": "REPORT", "validateOnly": True,
                "batch": {"requestId": REQUEST_ID, "lines": [LINE]}}),
    "get_report": ("sales.v1.SalesReportService/GetSalesReport", "marketplace",
                   {"name": UNKNOWN_REPORT}),
    "revise": ("sales.v1.SalesReportService/ReviseSalesReport", "marketplace",
               {"requestId": REQUEST_ID, "name": UNKNOWN_REPORT, "reason": "Faltaban líneas",
                "validateOnly": True}),
    "explain": ("sales.v1.SalesReportService/ExplainSaleLine", "customs",
                {"requestId": REQUEST_ID, "marketplace": "partners/marketplace", "lineId": "agree-0",
                 "cause": "EXPLANATION_CAUSE_OTHER", "evidence": "Nota de crédito 7",
                 "validateOnly": True}),
    "close": ("sales.v1.PeriodService/ClosePeriod", "ministry",
              {"requestId": REQUEST_ID, "firstMonth": "2010-12", "validateOnly": True}),
    "list_closed": ("sales.v1.PeriodService/ListClosedPeriods", "marketplace", {}),
    "marked": ("sales.v1.LateFactService/ListMarkedLines", "marketplace", {}),
    "lines": ("sales.v1.SalesReportService/ListSaleLines", "marketplace", {"report": "REPORT"}),
    "export": ("sales.v1.SalesReportService/ExportSaleLines", "marketplace", {"report": "REPORT"}),
    "export_period": ("sales.v1.SalesReportService/ExportSaleLines", "customs",
                      {"period": PERIOD}),
    "list_reports": ("sales.v1.SalesReportService/ListSalesReports", "marketplace", {}),
    "create_listing": ("listings.v1.ListingService/CreateListing", "marketplace",
                       {"requestId": REQUEST_ID, "listing": LISTING, "validateOnly": True}),
    "get_listing": ("listings.v1.ListingService/GetListing", "marketplace",
                    {"name": UNKNOWN_LISTING}),
    "decide": ("clearance.v1.ClearanceService/Decide", "customs",
               {"requestId": REQUEST_ID, "listing": UNKNOWN_LISTING, "decision": "DECISION_CLEAR",
                "validateOnly": True}),
    "extend": ("clearance.v1.ClearanceService/ExtendCertificate", "inv",
               {"requestId": REQUEST_ID, "validateOnly": True,
                "certificate": {"issuer": "CERTIFICATE_ISSUER_INV", "number": "INV-AGREE",
                                "validTo": {"year": 2040, "month": 1, "day": 31}}}),
    "settle": ("customs.v1.SettlementService/RecordSettlement", "customs",
               {"requestId": REQUEST_ID, "name": DECLARATION_NAME + "/settlements/1", "validateOnly": True,
                "report": {"amount": {"value": "49200.25"}, "currency": "USD", "evidence": "SECO-417",
                           "settledOn": {"year": 2018, "month": 8, "day": 1},
                           "reporter": "SETTLEMENT_REPORTER_BANK"}}),
    "list_settlements": ("customs.v1.SettlementService/ListSettlements", "customs", {}),
    "declare": ("customs.v1.DeclarationService/RegisterDeclaration", "customs",
                {"requestId": REQUEST_ID, "declaration": DECLARATION, "validateOnly": True}),
    "amend": ("customs.v1.DeclarationService/AmendDeclaration", "customs",
              {"requestId": REQUEST_ID, "name": DECLARATION_NAME, "reason": "Así lo pidió el exportador",
               "incoterm": "INCOTERM_CIF", "validateOnly": True}),
    "amend_item": ("customs.v1.DeclarationService/AmendDeclaration", "customs",
                   {"requestId": REQUEST_ID, "name": DECLARATION_NAME, "reason": "x",
                    "items": [{"item": 1, "fob": {"value": "1"}}], "validateOnly": True}),
    "ship": ("customs.v1.DeclarationService/RecordShipment", "customs",
             {"requestId": REQUEST_ID, "declaration": DECLARATION_NAME, "shipments": [SHIPMENT],
              "validateOnly": True}),
    "get_declaration": ("customs.v1.DeclarationService/GetDeclaration", "marketplace",
                        {"name": DECLARATION_NAME}),
    "list_declarations": ("customs.v1.DeclarationService/ListDeclarations", "customs", {}),
    "delegate": ("customs.v1.DelegationService/RecordDelegation", "customs",
                 {"requestId": REQUEST_ID, "broker": "partners/despachante",
                  "exporterCuit": "30880000019", "validFrom": {"year": 2031, "month": 1, "day": 1},
                  "source": "Poder n.º 7", "validateOnly": True}),
    "revoke": ("customs.v1.DelegationService/RevokeDelegation", "customs",
               {"requestId": REQUEST_ID, "name": UNKNOWN_DELEGATION, "source": "Revocatoria",
                "validateOnly": True}),
    "get_delegation": ("customs.v1.DelegationService/GetDelegation", "auditor",
                       {"name": UNKNOWN_DELEGATION}),
    "list_delegations": ("customs.v1.DelegationService/ListDelegations", "customs", {}),
    "reconciliation": ("customs.v1.ReconciliationService/GetReconciliation", "auditor",
                       {"declaration": DECLARATION_NAME}),
    "discrepancies": ("customs.v1.ReconciliationService/ListDiscrepancies", "marketplace", {}),
    "explain_item": ("customs.v1.ReconciliationService/ExplainDiscrepancy", "customs",
                     {"requestId": REQUEST_ID, "declaration": DECLARATION_NAME, "item": 1,
                      "cause": "DISCREPANCY_CAUSE_LOSS", "quantity": {"value": "1.5"},
                      "evidence": "Acta de ejemplo 7", "validateOnly": True}),
    "escalate": ("customs.v1.ReconciliationService/EscalateDiscrepancy", "customs",
                 {"requestId": REQUEST_ID, "listing": UNKNOWN_LISTING, "reason": "Sin respuesta",
                  "validateOnly": True}),
    "rematch": ("customs.v1.ReconciliationService/RematchSales", "customs",
                {"requestId": REQUEST_ID, "marketplace": "partners/marketplace",
                 "lineIds": ["agree-0"], "reason": "Visto en los libros", "validateOnly": True}),
    "matches": ("customs.v1.ReconciliationService/ListMatches", "customs",
                {"listing": UNKNOWN_LISTING}),
    "line_matches": ("customs.v1.ReconciliationService/ListLineMatches", "customs",
                     {"listing": UNKNOWN_LISTING}),
    "top": ("sales.v1.SalesAnalyticsService/TopProducts", "ministry",
            {"period": PERIOD, "limit": 10, "measure": "MEASURE_AMOUNT"}),
    "top_at": ("sales.v1.SalesAnalyticsService/TopProducts", "ministry",
               {"period": PERIOD, "compareWith": "COMPARISON_YEAR_BEFORE", "rates": [RATE]}),
    "summarize": ("sales.v1.SalesAnalyticsService/Summarize", "ministry",
                  {"period": PERIOD, "dimensions": ["DIMENSION_KIND"]}),
    "summarize_all": ("sales.v1.SalesAnalyticsService/Summarize", "ministry", {}),
    "suspend": ("access.v1.PartnerService/SuspendPartner", "operator",
                {"requestId": REQUEST_ID, "name": "partners/marketplace", "reason": "prueba",
                 "validateOnly": True}),
    "eligibility": ("registry.v1.RegistryService/RecordEligibility", "registry",
                    {"requestId": REQUEST_ID, "name": "exporters/30880000019", "validateOnly": True,
                     "fact": {"status": "ELIGIBILITY_STATUS_SUSPENDED", "cause": "Causa de ejemplo",
                              "legalInstrument": "Disposición de ejemplo 1",
                              "validFrom": {"year": 2031, "month": 1, "day": 1}}}),
    "proof": ("ledger.v1.LedgerService/GetProof", "auditor", {"index": 0}),
    "consistency": ("ledger.v1.LedgerService/GetConsistencyProof", "auditor", {"oldSize": 1}),
    "receipt": ("ledger.v1.LedgerService/FindReceipt", "marketplace", {"requestId": REQUEST_ID}),
}

GONE = object()

# (base, path, value): GONE takes the field out.
SAMPLES = [(base, "", None) for base in BASES] + [
    ("verify", "cuit", value) for value in (
        "30500010912", "20-26756539-3", "33-69345023-9", "30-50001091-3", "", "30-5000109-12",
        "3050001091", "305000109122", "50000002882", "55-00000507-9", "20 26756539 3",
        "30–50001091–2", "abc", "99500010912", "30-50001091-2\n")
] + [
    ("verify", "ncm", value) for value in ("22", "2204.21.00", "22042100", "2204", "x", "2204.2")
] + [
    ("batch_verify", "cuits", []), ("batch_verify", "cuits", ["30-50001091-2"] * 1000),
    ("batch_verify", "cuits", ["30-50001091-2"] * 1001),
    ("open", "requestId", ""), ("open", "requestId", "not-a-uuid"),
    ("open", "requestId", REQUEST_ID.upper()), ("open", "period", GONE),
    ("open", "period.first", GONE), ("open", "period.last.day", 32), ("open", "period.last.month", 13),
    ("open", "period.last", {"year": 2030, "month": 12, "day": 31}),
    ("append", "report", "salesReports/x"), ("append", "report", ""),
    ("append", "batch", GONE), ("append", "batch.lines", []),
    ("append", "batch.requestId", "1"), ("append", "batch.firstLine", -1),
] + [
    ("append", f"batch.lines.0.{field}", value) for field, values in {
        "lineId": ("", "x" * 64, "x" * 65, "ñ", " x", "a b", "a\tb"),
        "orderId": ("", "A-1", "o\r\n1"),
        "kind": ("LINE_KIND_UNSPECIFIED", "LINE_KIND_RETURN", 99, "LINE_KIND_ADJUSTMENT"),
        "originalLineId": ("x",),
        "sku": ("", "UNKNOWN-SKU", "x" * 65),
        "quantity": ("", "0.5", "-1", "1e3", "1,5", "1.0000001", "+1", " 1", "999999999999",
                     "1000000000000", "NaN", "٣"),
        "unitPrice": ("0", "0.001", "-0.01", "1.23456789", "1.12345678901", ".5", "5."),
        "currency": ("usd", "US", "USDX", ""),
        "soldAt": ("2031-01-05", "2031-01-05T10:00:00", "2031-13-05T10:00:00Z",
                   "2031-01-05T10:00:00+08:00", "2031-01-05T24:00:00Z", "2031-01-05 10:00:00Z",
                   "2031-01-05T10:00:00.123456789Z"),
        "destination": ("CN", "CN-SH", "cn", "CHINA", "CN-"),
        "declaration": ("18817EC08028500L", "18817EC08028500", "x"),
        "declarationItem": (-1, 10000, 1),
        "tax": ("1.5", "-1"), "discount": ("0", "x"), "settlementAmount": ("10",),
        "settlementCurrency": ("CNY",),
    }.items() for value in values
] + [
    ("get_report", "name", "salesReports/1"), ("get_report", "name", ""),
    ("revise", "name", "salesReports/1"), ("revise", "requestId", "x"), ("revise", "reason", ""),
    ("revise", "reason", "  "), ("revise", "reason", "a\nb"), ("revise", "reason", "ñ" * 500),
    ("revise", "reason", "ñ" * 501), ("revise", "etag", "x" * 65),
    ("explain", "requestId", "x"), ("explain", "marketplace", "marketplace"),
    ("explain", "marketplace", ""), ("explain", "lineId", ""), ("explain", "lineId", " x"),
    ("explain", "lineId", "x" * 65), ("explain", "cause", "EXPLANATION_CAUSE_UNSPECIFIED"),
    ("explain", "cause", 99), ("explain", "evidence", ""), ("explain", "evidence", " "),
    ("explain", "evidence", "a\tb"), ("explain", "evidence", "ñ" * 1000),
    ("explain", "evidence", "ñ" * 1001), ("explain", "evidence", "a\u202eb"),
    ("close", "requestId", "x"), ("close", "firstMonth", ""), ("close", "firstMonth", "2010-13"),
    ("close", "firstMonth", "2010-1"), ("close", "firstMonth", "1999-12"),
    ("close", "firstMonth", "2099-12"), ("close", "firstMonth", "2010-12-01"),
    ("close", "lastMonth", "2011-01"), ("close", "lastMonth", "2010-11"),
    ("close", "lastMonth", "2010-00"), ("close", "firstMonth", "٢٠١٠-١٢"),
    ("list_closed", "pageSize", -1), ("list_closed", "pageSize", 1001),
    ("lines", "report", "x"), ("lines", "pageSize", 1001), ("lines", "verdict", 2),
    ("lines", "verdict", 3), ("lines", "verdict", 99), ("lines", "reason", "EXCEEDS_ORIGINAL"),
    ("lines", "reason", "exceeds_original"), ("lines", "reason", "X"),
    ("marked", "report", "x"), ("marked", "report", UNKNOWN_REPORT), ("marked", "lateFact", UNKNOWN_REPORT),
    ("marked", "lateFact", "lateFacts/00000000-0000-8000-8000-000000000000"), ("marked", "pageSize", 1001),
    ("marked", "pageSize", -1), ("marked", "pageToken", "x" * 1025),
    ("export", "report", "x"), ("export", "report", GONE), ("export", "report", UNKNOWN_REPORT),
    ("export", "maxLines", -1), ("export", "maxLines", 1), ("export", "maxLines", 1000),
    ("export", "maxLines", 1001), ("export", "marketplace", "marketplace"),
    ("export", "marketplace", "partners/marketplace"), ("export", "kinds", []),
    ("export", "kinds", ["LINE_KIND_SALE", "LINE_KIND_RETURN"]),
    ("export", "kinds", ["LINE_KIND_SALE", "LINE_KIND_SALE"]), ("export", "kinds", [0]),
    ("export", "kinds", [99]), ("export", "verdict", 2), ("export", "verdict", 3),
    ("export", "verdict", 99), ("export", "reason", "EXCEEDS_ORIGINAL"), ("export", "reason", "X"),
    ("export", "cursor", "x" * 1025),
    ("export_period", "period.first", GONE), ("export_period", "period.last.day", 32),
    ("export_period", "period.last", {"year": 2030, "month": 12, "day": 31}),
    ("export_period", "period", GONE),
    ("list_reports", "pageSize", -1), ("list_reports", "pageSize", 1000),
    ("list_reports", "pageSize", 1001), ("list_reports", "state", 99),
    ("list_reports", "marketplace", "marketplace"),
    ("list_reports", "marketplace", "partners/marketplace"),
    ("create_listing", "listing", GONE), ("create_listing", "requestId", ""),
] + [
    ("create_listing", f"listing.{field}", value) for field, values in {
        "sku": ("", "ñ", "x" * 65), "title": ("", "x" * 201, "a\nb"),
        "sellerCuit": ("", "30880000018", "30-88000001-9"),
        "ncm": ("", "x", "2204.21", "04090000"),
        "gtin": ("", "7790272001029", "7790272001028", "123"),
        "channel": ("CHANNEL_UNSPECIFIED", 9), "unit": ("", "c62"),
        "statisticalUnit": ("",), "statisticalFactor": (GONE, {"value": "0"}, {"value": "-1"}),
        "price": (GONE, {"value": "-1"}, {"value": "0"}, {"value": "x"}), "currency": ("", "ars"),
        "destination": ("CN", "china"),
    }.items() for value in values
] + [
    ("get_listing", "name", "listings/AR-WINE-001"),
] + [
    ("delegate", field, value) for field, values in {
        "requestId": ("", "x"), "broker": (GONE, "despachante", "partners/x", "partners/Despachante"),
        "exporterCuit": (GONE, "30880000018", "30-88000001-9", "50000002882"),
        "validFrom": (GONE, {"year": 2031, "month": 2, "day": 29}, {"year": 1899, "month": 1, "day": 1}),
        "validTo": ({"year": 2031, "month": 1, "day": 1}, {"year": 2030, "month": 12, "day": 31},
                    {"year": 2031, "month": 13, "day": 1}),
        "source": (GONE, "  ", "a\nb", "ñ" * 500, "ñ" * 501, "a\u202eb"), "etag": ("x" * 65,),
    }.items() for value in values
] + [
    ("revoke", field, value) for field, values in {
        "requestId": ("", "x"), "name": (GONE, "delegations/x", UNKNOWN_LISTING, UNKNOWN_DELEGATION.upper()),
        "revokedFrom": ({"year": 2026, "month": 1, "day": 1}, {"year": 2026, "month": 2, "day": 30}),
        "source": (GONE, " ", "ñ" * 501), "etag": ("x" * 65,),
    }.items() for value in values
] + [
    ("get_delegation", "name", ""), ("get_delegation", "name", "delegations/1"),
    ("list_delegations", "pageSize", -1), ("list_delegations", "pageSize", 1001),
    ("list_delegations", "broker", "x"), ("list_delegations", "broker", "partners/despachante"),
    ("list_delegations", "exporterCuit", "30880000018"), ("list_delegations", "exporterCuit", "30-88000001-9"),
    ("list_delegations", "activeOn", {"year": 2026, "month": 2, "day": 30}),
    ("list_delegations", "activeOn", {"year": 2026, "month": 2, "day": 28}),
    ("list_delegations", "asKnownAt", "2026-02-28T10:00:00Z"),
    ("list_delegations", "pageToken", "x" * 1025),
    ("decide", "decision", "DECISION_UNSPECIFIED"), ("decide", "decision", 42),
    ("decide", "listing", "x"), ("decide", "requestId", GONE),
    ("extend", "certificate", GONE), ("extend", "certificate.issuer", 0), ("extend", "certificate.issuer", 9),
    ("extend", "certificate.number", ""), ("extend", "certificate.number", "x y"),
    ("extend", "certificate.number", "x" * 65), ("extend", "certificate.validTo", GONE),
    ("extend", "certificate.validTo.day", 32), ("extend", "requestId", "x"),
    ("create_listing", "listing.entryMode", "ENTRY_MODE_BONDED"), ("create_listing", "listing.entryMode", 3),
    ("settle", "name", DECLARATION_NAME), ("settle", "name", DECLARATION_NAME + "/settlements/0"),
    ("settle", "name", DECLARATION_NAME + "/settlements/01"), ("settle", "name", DECLARATION_NAME + "/settlements/10000"),
    ("settle", "report", GONE), ("settle", "report.amount", GONE), ("settle", "report.amount", {"value": "-1"}),
    ("settle", "report.currency", "usd"), ("settle", "report.evidence", ""), ("settle", "report.evidence", "x" * 65),
    ("settle", "report.settledOn", GONE), ("settle", "report.settledOn.day", 32), ("settle", "report.reporter", 0),
    ("settle", "report.reporter", 3), ("settle", "requestId", "x"),
    ("list_settlements", "pageSize", 1001), ("list_settlements", "state", 5), ("list_settlements", "state", 4),
    ("list_settlements", "exporterCuit", "30880000018"), ("list_settlements", "dueBy", {"year": 2018}),
    ("declare", "declaration", GONE), ("declare", "requestId", ""), ("declare", "marketplace", "x"),
    ("declare", "marketplace", "partners/marketplace"),
    ("declare", "declaration.items", [DECLARED, DECLARED]),
    ("declare", "declaration.items", [DECLARED, {**DECLARED, "item": 9999}]),
] + [
    ("declare", f"declaration.{field}", value) for field, values in {
        "number": (GONE, "18817EC08028500", "18817ec08028500L", "18817EG01028500L", "٨8817EC08028500L"),
        "exporterCuit": (GONE, "30880000018", "30-88000001-9"),
        "declarantCuit": ("30-88000001-9", "30880000018", "x"),
        "incoterm": (GONE, "INCOTERM_EXW", 11, 12), "destination": ("", "CN-SH", "China"),
        "officialisedOn": (GONE, {"year": 2018, "month": 2, "day": 29}, {"year": 2016, "month": 2, "day": 29}),
        "items": ([],), "etag": ("x" * 65,),
    }.items() for value in values
] + [
    ("declare", f"declaration.items.0.{field}", value) for field, values in {
        "item": (GONE, 0, -1, 9999, 10000), "sku": (GONE, "ñ", "x" * 64),
        "listing": (UNKNOWN_LISTING, "listings/x"), "ncm": (GONE, "22042100", "2204.21", "2204.21.00.100A"),
        "declaredQuantity": (GONE, {"value": "0"}, {"value": "0.000001"}, {"value": "1.0000001"},
                             {"value": "-1"}, {"value": "1e3"}),
        "statisticalUnit": (GONE, "ltr", "KGM"), "currency": (GONE, "usd", "CNY"),
        "fob": (GONE, {"value": "0"}, {"value": "-1"}, {"value": "1.12345678901"}, {"value": ""}),
    }.items() for value in values
] + [
    ("amend", "name", "declarations/x"), ("amend", "name", "18817EC08028500L"), ("amend", "reason", ""),
    ("amend", "reason", "  "), ("amend", "reason", "a\nb"), ("amend", "reason", "ñ" * 501),
    ("amend", "incoterm", GONE), ("amend", "incoterm", 12), ("amend", "destination", "china"),
    ("amend", "declarantCuit", "30880000018"), ("amend", "etag", "x" * 65), ("amend", "requestId", GONE),
    ("amend_item", "items", []), ("amend_item", "items.0.fob", GONE), ("amend_item", "items.0.item", 0),
    ("amend_item", "items.0.declaredQuantity", {"value": "0"}),
    ("amend_item", "items", [{"item": 1, "fob": {"value": "1"}}] * 2),
    ("ship", "declaration", ""), ("ship", "shipments", []), ("ship", "shipments", [SHIPMENT] * 2),
    ("ship", "requestId", "x"), ("ship", "shipments.0.item", 0), ("ship", "shipments.0.quantity", GONE),
    ("ship", "shipments.0.quantity", {"value": "0"}), ("ship", "shipments.0.quantity", {"value": "+1"}),
    ("ship", "shipments.0.shippedOn", GONE), ("ship", "shipments.0.shippedOn.month", 13),
    ("ship", "shipments.0.reference", "CRT 1"), ("ship", "shipments.0.reference", " x"),
    ("ship", "shipments.0.reference", "ñ"), ("ship", "shipments.0.postShipment", True),
    ("get_declaration", "name", ""), ("get_declaration", "name", "declarations/18817EC08028500l"),
] + [
    ("list_declarations", field, value) for field, values in {
        "pageSize": (-1, 1000, 1001), "exporterCuit": ("30880000019", "30880000018"),
        "listing": (UNKNOWN_LISTING, "x"), "marketplace": ("partners/marketplace", "marketplace"),
        "office": ("817", "81", "8177"), "year": ("18", "2018"), "state": ("ITEM_STATE_SHIPPED", 99),
        "officialised": (PERIOD, {"first": {"year": 1999, "month": 1, "day": 1},
                                  "last": {"year": 2031, "month": 1, "day": 1}},
                         {"first": {"year": 2031, "month": 1, "day": 2},
                          "last": {"year": 2031, "month": 1, "day": 1}},
                         {"first": {"year": 2031, "month": 1, "day": 1}}),
    }.items() for value in values
] + [
    ("reconciliation", "declaration", ""), ("reconciliation", "item", 9999),
    ("reconciliation", "item", 10000), ("reconciliation", "item", -1),
    ("reconciliation", "at", {"year": 2031, "month": 2, "day": 29}),
    ("reconciliation", "at", {"year": 2031, "month": 2, "day": 28}),
    ("explain_item", "requestId", "x"), ("explain_item", "item", 0), ("explain_item", "cause", 0),
    ("explain_item", "cause", 99), ("explain_item", "quantity", GONE),
    ("explain_item", "quantity.value", "0.0"), ("explain_item", "quantity.value", "-1"),
    ("explain_item", "quantity.value", "1.1234567"), ("explain_item", "evidence", " "),
    ("explain_item", "evidence", "ñ" * 1001), ("explain_item", "etag", "x" * 65),
    ("escalate", "listing", ""), ("escalate", "item", 1), ("escalate", "declaration", DECLARATION_NAME),
    ("escalate", "reason", ""), ("rematch", "marketplace", "marketplace"), ("rematch", "lineIds", []),
    ("rematch", "lineIds", ["a", "a"]), ("rematch", "lineIds", ["ñ"]), ("rematch", "item", 1),
    ("rematch", "declaration", DECLARATION_NAME), ("rematch", "reason", ""),
    ("matches", "listing", "x"), ("matches", "pageSize", 1001),
    ("line_matches", "listing", "x"), ("line_matches", "pageSize", 1001), ("line_matches", "item", 1),
    ("line_matches", "declaration", "declarations/x"), ("line_matches", "item", -1),
] + [
    ("discrepancies", field, value) for field, values in {
        "pageSize": (-1, 1000, 1001), "exporterCuit": ("30880000019", "30880000018"),
        "listing": (UNKNOWN_LISTING, "x"), "marketplace": ("partners/marketplace", "marketplace"),
        "declaration": (DECLARATION_NAME, "x"), "state": ("RECONCILIATION_STATE_OVERSOLD", 99),
        "at": ({"year": 2031, "month": 1, "day": 1}, {"year": 2031, "month": 13, "day": 1}),
    }.items() for value in values
] + [
    ("top", "period", GONE), ("top", "limit", -1), ("top", "limit", 1001), ("top", "measure", 9),
    ("top", "filter", {"sellerCuit": "30880000018"}), ("top", "filter", {"ncmPrefix": "2"}),
    ("top", "filter", {"ncmPrefix": "22"}), ("top", "filter", {"province": "AR-O"}),
    ("top", "filter", {"currency": "usd"}),
    ("top", "filter", {"asOf": "2031-01-05T10:00:00Z"}),
    ("top", "compareWith", 1), ("top", "compareWith", 3),
    ("top", "rates", [RATE, RATE]), ("top", "rates", [RATE, RATE | {"from": "EUR"}]),
    ("top", "rates", [RATE, RATE | {"from": "EUR", "to": "ARS"}]),
    ("top", "rates", [RATE | {"from": "USD"}]),
] + [
    ("top_at", f"rates.0.{field}", value) for field, values in {
        "from": ("", "ars", "ARSX"), "to": ("", "usd"),
        "rate": (GONE, {"value": ""}, {"value": "0"}, {"value": "0.000"}, {"value": "-1"},
                 {"value": "1e3"}, {"value": "1"}, {"value": "0.12345678901"}),
        "source": ("", "  ", "a\nb", "ñ" * 200, "ñ" * 201),
        "date": (GONE, {"year": 2031, "month": 2, "day": 29}),
    }.items() for value in values
] + [
    ("summarize", "period", GONE), ("summarize", "compareWith", "COMPARISON_PREVIOUS_PERIOD"),
    ("summarize", "withShares", True), ("summarize", "rates", [RATE]),
    ("summarize_all", "compareWith", 1), ("summarize_all", "compareWith", 0),
    ("summarize", "dimensions", ["DIMENSION_DESTINATION_COUNTRY", "DIMENSION_WEEK"]),
    ("summarize", "dimensions", [18]),
    ("summarize", "dimensions", ["DIMENSION_KIND", "DIMENSION_DAY", "DIMENSION_MONTH"]),
    ("summarize", "dimensions", ["DIMENSION_KIND", "DIMENSION_KIND"]),
    ("summarize", "dimensions", ["DIMENSION_UNSPECIFIED"]), ("summarize", "dimensions", []),
    ("suspend", "name", "marketplace"), ("suspend", "reason", ""), ("suspend", "reason", "   "),
    ("suspend", "reason", "Suspensión de Ñandú"), ("suspend", "reason", "a\u202eb"), ("suspend", "requestId", "x"),
    ("eligibility", "name", "exporters/3088000001"), ("eligibility", "fact", GONE),
    ("eligibility", "fact.status", "ELIGIBILITY_STATUS_UNSPECIFIED"),
    ("eligibility", "fact.validFrom", GONE), ("eligibility", "fact.validFrom.month", 0),
    ("eligibility", "fact.ncmChapters", ["22", "03"]), ("eligibility", "fact.ncmChapters", ["2204"]),
    ("proof", "index", -1), ("consistency", "oldSize", -1), ("consistency", "newSize", -1),
    ("receipt", "requestId", "x"),
]


def changed(message: dict, path: str, value) -> dict:
    """The message with the field at `path` set to `value`, or taken out."""
    message = copy.deepcopy(message)
    if not path:
        return message
    at = message
    *parents, last = path.split(".")
    for parent in parents:
        at = at[int(parent)] if isinstance(at, list) else at[parent]
    if value is GONE:
        at.pop(last, None)
    else:
        at[last] = value
    return message


def main(profiles: str, stubs: str) -> None:
    puente_client.generate(pathlib.Path(stubs))
    from google.protobuf import descriptor_pool, message_factory
    import puente.access.v1.partners_pb2, puente.clearance.v1.clearance_pb2  # noqa: E401,F401
    import puente.customs.v1.declaration_service_pb2, puente.customs.v1.delegation_pb2  # noqa: E401,F401
    import puente.customs.v1.reconciliation_service_pb2, puente.customs.v1.settlement_pb2  # noqa: E401,F401
    import puente.ledger.v1.ledger_pb2, puente.listings.v1.listings_pb2  # noqa: E401,F401
    import puente.registry.v1.registry_pb2, puente.sales.v1.analytics_pb2  # noqa: E401,F401
    import puente.sales.v1.late_facts_pb2, puente.sales.v1.periods_pb2  # noqa: E401,F401
    import puente.sales.v1.reports_pb2, puente.sellers.v1.sellers_pb2  # noqa: E401,F401

    pool = descriptor_pool.Default()
    channels = {}

    def ask(method: str, partner: str, message):
        if partner not in channels:
            channels[partner] = puente_channel(profiles, partner)
        described = pool.FindServiceByName(f"puente.{method.split('/')[0]}").methods_by_name[
            method.split("/")[1]]
        answer_class = message_factory.GetMessageClass(described.output_type)
        channel = channels[partner]
        call = (channel.unary_stream if described.server_streaming else channel.unary_unary)(
            f"/puente.{method}", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=answer_class.FromString)
        answer = call(message, timeout=20)
        return list(answer) if described.server_streaming else answer

    opened = ask(BASES["open"][0], "marketplace", parse(pool, BASES["open"][0], {
        "requestId": str(uuid.uuid4()), "period": PERIOD}))
    report = opened.report.name
    # Opening validates only from here on; another month, so that it may.
    BASES["open"][2]["period"] = {"first": {"year": 2031, "month": 2, "day": 1},
                                  "last": {"year": 2031, "month": 2, "day": 28}}

    differ, bad = [], 0
    for base, path, value in SAMPLES:
        method, partner, good = BASES[base]
        document = changed(good, path, value)
        if document.get("report") == "REPORT":
            document["report"] = report
        label = f"{base} {path}={value if value is not GONE else 'absent'!r}"
        message = parse(pool, method, document)
        try:
            protovalidate.validate(message)
            by_rules = True
        except protovalidate.ValidationError:
            by_rules = False
        by_server, why = True, ""
        try:
            answer = ask(method, partner, message)
            verdicts = getattr(getattr(answer, "result", None), "verdicts", [])
            refused = [v for v in verdicts if v.verdict == 4]
            if refused:
                by_server, why = False, refused[0].reasons
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                by_server, why = False, puente_client.reason_of(error)
            elif error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN,
                                  grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED,
                                  grpc.StatusCode.PERMISSION_DENIED):
                raise AssertionError(f"{label}: {error}") from error
        bad += not by_rules
        if by_rules != by_server:
            differ.append(f"{label}: protovalidate {by_rules}, server {by_server} {why}")
    if differ:
        raise AssertionError(f"{len(differ)} of {len(SAMPLES)} differ:\n" + "\n".join(differ))
    print(f"protovalidate and the server agree on {len(SAMPLES)} samples, {bad} of them bad")


def parse(pool, method: str, document: dict):
    from google.protobuf import message_factory
    service, name = method.split("/")
    input_type = pool.FindServiceByName(f"puente.{service}").methods_by_name[name].input_type
    return json_format.ParseDict(document, message_factory.GetMessageClass(input_type)())


def puente_channel(profiles: str, partner: str):
    return puente_client.Partner(f"{profiles}/{partner}.toml").channel()


if __name__ == "__main__":
    main(*sys.argv[1:])
