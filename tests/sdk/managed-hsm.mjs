// SPDX-License-Identifier: MIT
// The official client before a Managed HSM. VAULT_URL: the HSM.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { runSteps, step } from "./steps.mjs";

const { VAULT_URL, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST } = process.env;
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, {
	authorityHost: AZURE_AUTHORITY_HOST,
	disableInstanceDiscovery: true,
});
const client = new KeyClient(VAULT_URL, credential);
const secret = randomBytes(32);

step("an AES key wraps and unwraps", async () => {
	const key = await client.createOctKey("sdk-aes", { keySize: 256, hsm: true });
	assert.equal(key.keyType, "oct-HSM");
	const crypto = new CryptographyClient(key.id, credential);
	const wrapped = await crypto.wrapKey("A256KW", secret);
	assert.equal(wrapped.result.length, 40);
	assert.deepEqual(Buffer.from((await crypto.unwrapKey("A256KW", wrapped.result)).result), secret);
});
step("an RSA key becomes one of the HSM's", async () => {
	assert.equal((await client.createRsaKey("sdk-rsa", { keySize: 2048 })).keyType, "RSA-HSM");
});
step("random bytes", async () => {
	assert.equal((await client.getRandomBytes(32)).length, 32);
});

await runSteps();
