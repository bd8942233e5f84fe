// Token, VerifySeller, a push of lines, TopProducts, and typed error details, in Node.
//
// Usage: node exchange.mjs PROFILES_DIR ELIGIBLE_CUIT
//
// The token comes from oauth4webapi with mutual TLS; messages from proto/ by @grpc/proto-loader.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import * as oauth from "oauth4webapi";
import protobuf from "protobufjs";
import { Agent, fetch as undiciFetch } from "undici";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const [profiles, cuit] = process.argv.slice(2);

function profile(name) {
  const file = join(profiles, `${name}.toml`);
  const values = Object.fromEntries(
    [...readFileSync(file, "utf8").matchAll(/^(\w+) = "(.*)"$/gm)].map((m) => [m[1], m[2]]),
  );
  const read = (key) => readFileSync(resolve(profiles, values[key]));
  return { ...values, ca: read("ca"), cert: read("certificate"), key: read("key") };
}

// Client credentials, authenticated by the TLS certificate alone (RFC 8705).
async function token(partner) {
  const agent = new Agent({ connect: { ca: partner.ca, cert: partner.cert, key: partner.key } });
  const overMutualTls = { [oauth.customFetch]: (url, init) => undiciFetch(url, { ...init, dispatcher: agent }) };
  const issuer = new URL(partner.endpoint);
  const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...overMutualTls });
  const server = await oauth.processDiscoveryResponse(issuer, found);
  const client = { client_id: partner.client_id, use_mtls_endpoint_aliases: false };
  const answer = await oauth.clientCredentialsGrantRequest(
    server, client, oauth.TlsClientAuth(), new URLSearchParams(), overMutualTls);
  const granted = await oauth.processClientCredentialsResponse(server, client, answer);
  await agent.close();
  return granted.access_token;
}

const files = ["sellers/v1/sellers.proto", "sales/v1/reports.proto", "sales/v1/analytics.proto"];
const definitions = protoLoader.loadSync(
  files.map((file) => join(root, "proto/puente", file)),
  { includeDirs: [join(root, "proto")], longs: Number, enums: String, defaults: true },
);
const api = grpc.loadPackageDefinition(definitions).puente;

function connect(Service, partner, accessToken) {
  const identity = grpc.credentials.createSsl(partner.ca, partner.key, partner.cert);
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${accessToken}`);
    done(null, metadata);
  });
  const address = partner.endpoint.replace("https://", "");
  return new Service(address, grpc.credentials.combineChannelCredentials(identity, bearer));
}

const call = (client, method, request) =>
  new Promise((done, failed) =>
    client[method](request, (error, answer) => (error ? failed(error) : done(answer))));

// The reason and the fields at fault, from `grpc-status-details-bin`: a google.rpc.Status.
const errors = new protobuf.Root();
errors.resolvePath = (_, file) => join(root, "proto", file);
errors.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);

function reasonOf(error) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const found = { reason: "", fields: [] };
  for (const any of errors.lookupType("google.rpc.Status").decode(bytes).details) {
    const detail = errors.lookupType(any.type_url.split("/").pop()).decode(any.value);
    if (any.type_url.endsWith("ErrorInfo")) found.reason = detail.reason;
    if (any.type_url.endsWith("BadRequest"))
      found.fields = detail.fieldViolations.map((violation) => violation.field);
  }
  return found;
}

const marketplace = profile("marketplace");
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

const ministry = profile("ministry");
const analytics = connect(api.sales.v1.SalesAnalyticsService, ministry, await token(ministry));
const top = await call(analytics, "topProducts", { period, limit: 3, measure: "MEASURE_AMOUNT" });
assert.equal(top.products[0].sku, "AR-WINE-002");
assert.equal(top.products[0].amount.value, "1050");

console.log(`node: verified ${answer.cuit}, pushed 300 lines into ${report.name}`);
process.exit(0);
