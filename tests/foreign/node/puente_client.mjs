// A partner's side in Node: profile, token, channel. No code of Puente's is used, only its protos.
//
// The token comes from oauth4webapi with mutual TLS; messages from proto/ by @grpc/proto-loader.

import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import * as oauth from "oauth4webapi";
import protobuf from "protobufjs";
import { Agent, fetch as undiciFetch } from "undici";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

// A partner as its profile says, with its identity read.
export function profile(file) {
  const values = Object.fromEntries(
    [...readFileSync(file, "utf8").matchAll(/^(\w+) = "(.*)"$/gm)].map((m) => [m[1], m[2]]),
  );
  const read = (key) => readFileSync(resolve(dirname(file), values[key]));
  return { ...values, ca: read("ca"), cert: read("certificate"), key: read("key") };
}

// Client credentials, authenticated by the TLS certificate alone (RFC 8705).
export async function token(partner) {
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
export const api = grpc.loadPackageDefinition(definitions).puente;

export function connect(Service, partner, accessToken) {
  const identity = grpc.credentials.createSsl(partner.ca, partner.key, partner.cert);
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${accessToken}`);
    done(null, metadata);
  });
  const address = partner.endpoint.replace("https://", "");
  return new Service(address, grpc.credentials.combineChannelCredentials(identity, bearer));
}

export const call = (client, method, request) =>
  new Promise((done, failed) =>
    client[method](request, (error, answer) => (error ? failed(error) : done(answer))));

// The reason and the fields at fault, from `grpc-status-details-bin`: a google.rpc.Status.
const errors = new protobuf.Root();
errors.resolvePath = (_, file) => join(root, "proto", file);
errors.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);

export function reasonOf(error) {
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
