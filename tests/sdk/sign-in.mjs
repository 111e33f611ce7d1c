// SPDX-License-Identifier: MIT
// Signs in with one credential of the official library and reads a key with it:
// sign-in.mjs secret|certificate|federated|managed. Everything else comes from the environment.
import assert from "node:assert/strict";
import { ClientCertificateCredential, ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential } from "@azure/identity";
import { KeyClient } from "@azure/keyvault-keys";

const kind = process.argv[2];
const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, VAULT_URL, KEY_NAME } = process.env;
const options = { authorityHost: process.env.AZURE_AUTHORITY_HOST, disableInstanceDiscovery: true };
const makers = {
	secret: () => new ClientSecretCredential(tenant, client, process.env.AZURE_CLIENT_SECRET, options),
	certificate: () => new ClientCertificateCredential(tenant, client, { certificatePath: process.env.CERTIFICATE }, options),
	federated: () => new WorkloadIdentityCredential({ tenantId: tenant, clientId: client, tokenFilePath: process.env.TOKEN_FILE, ...options }),
	managed: () => new ManagedIdentityCredential(process.env.MANAGED_CLIENT_ID ? { clientId: process.env.MANAGED_CLIENT_ID } : {}),
	default: () => new DefaultAzureCredential(options),
};
const key = await new KeyClient(VAULT_URL, makers[kind](), { retryOptions: { maxRetries: 1 } }).getKey(KEY_NAME);
assert.equal(key.name, KEY_NAME);
console.log(`ok - ${kind}: ${key.id}`);
