// Token, VerifySeller, a push of lines, TopProducts, and typed error details, in Node.
//
// Usage: node exchange.mjs PROFILES_DIR ELIGIBLE_CUIT

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import grpc from "@grpc/grpc-js";

import { api, call, connect, profile, reasonOf, token } from "./puente_client.mjs";

const [profiles, cuit] = process.argv.slice(2);

const marketplace = profile(join(profiles, "marketplace.toml"));
const accessToken = await token(marketplace);
const sellers = connect(api.sellers.v1.SellerService, marketplace, accessToken);

const { answer } = await call(sellers, "verifySeller", { cuit });
assert.equal(answer.verdict, "VERDICT_ELIGIBLE");

const refused = await call(sellers, "verifySeller", { cuit: "30-50001091-3" }).catch((e) => e);
assert.equal(refused.code, grpc.status.INVALID_ARGUMENT);
assert.deepEqual(reasonOf(refused), { reason: "INVALID_CUIT", fields: ["cuit"] });

const reports = connect(api.sales.v1.SalesReportService, marketplace, accessToken);
const date = (year, month, day) => ({ year, month, day });
const period = { first: date(2025, 4, 1), last: date(2025, 4, 30) };
const { report } = await call(reports, "openSalesReport", { requestId: randomUUID(), period });

const stream = reports.pushSaleLines();
let accepted = 0;
const pushed = new Promise((done, failed) => {
  stream.on("data", (message) => {
    if (message.result) {
      const { counts } = message.result;
      accepted += counts.accepted + counts.acceptedWithWarning;
      if (accepted === 300) stream.end();
    }
  });
  stream.on("end", done);
  stream.on("error", failed);
});
stream.write({ start: { report: report.name } });
for (let first = 0; first < 300; first += 100) {
  const lines = Array.from({ length: 100 }, (_, at) => ({
    lineId: `node-${first + at}`, orderId: `n-${first + at}`, sku: "AR-WINE-002",
    kind: "LINE_KIND_SALE", quantity: "1", unitPrice: "3.5", currency: "USD",
    soldAt: "2025-04-02T09:00:00+08:00", destination: "CN-GD",
  }));
  stream.write({ batch: { requestId: randomUUID(), firstLine: first, lines } });
}
await pushed;
assert.equal(accepted, 300);
await call(reports, "sealSalesReport", { requestId: randomUUID(), name: report.name });

const ministry = profile(join(profiles, "ministry.toml"));
const analytics = connect(api.sales.v1.SalesAnalyticsService, ministry, await token(ministry));
const top = await call(analytics, "topProducts", { period, limit: 3, measure: "MEASURE_AMOUNT" });
assert.equal(top.products[0].sku, "AR-WINE-002");
assert.equal(top.products[0].amount.value, "1050");

console.log(`node: verified ${answer.cuit}, pushed 300 lines into ${report.name}`);
process.exit(0);
