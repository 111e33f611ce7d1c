// SPDX-License-Identifier: MIT
// wrap.mjs KEY-ID: prints 32 random bytes, wrapped by that key, as base64url.
import { randomBytes } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient } from "@azure/keyvault-keys";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST } = process.env;
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, {
	authorityHost: AZURE_AUTHORITY_HOST,
	disableInstanceDiscovery: true,
});
const { result } = await new CryptographyClient(process.argv[2], credential).wrapKey("RSA-OAEP-256", randomBytes(32));
console.log(Buffer.from(result).toString("base64url"));
