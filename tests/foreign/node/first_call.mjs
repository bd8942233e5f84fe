// A first call in Node: may this company sell?
//
// Usage: node first_call.mjs PROFILE CUIT

import { api, call, connect, profile, token } from "./puente_client.mjs";

const [file, cuit] = process.argv.slice(2);
const partner = profile(file);
const sellers = connect(api.sellers.v1.SellerService, partner, await token(partner));
const { answer } = await call(sellers, "verifySeller", { cuit });
console.log(answer.cuit, answer.verdict);
process.exit(0);
