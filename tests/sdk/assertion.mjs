// SPDX-License-Identifier: MIT
// assertion.mjs KEY.pem ISSUER SUBJECT: prints a federated token, as an issuer of workload
// identities would make it.
import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";

const [key, iss, sub] = process.argv.slice(2);
const now = Math.floor(Date.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const text = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iss, sub, aud: "api://AzureADTokenExchange", iat: now, nbf: now - 5, exp: now + 600 })}`;
process.stdout.write(`${text}.${createSign("sha256").update(text).sign(readFileSync(key)).toString("base64url")}`);
