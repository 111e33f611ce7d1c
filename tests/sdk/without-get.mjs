// SPDX-License-Identifier: MIT
// The official client under an identity that may use a key but not read it: only then does it send
// every operation to the vault instead of judging and computing some of them itself. KEY_ID: a
// usable RSA key; DISABLED_ID: a disabled one, EXPIRED_ID: one whose date is over.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { refusal, runSteps, step } from "./steps.mjs";

const { VAULT_URL, KEY_ID, DISABLED_ID, EXPIRED_ID } = process.env;
const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST } = process.env;
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, {
	authorityHost: AZURE_AUTHORITY_HOST,
	disableInstanceDiscovery: true,
});
const secret = randomBytes(32);
const digest = createHash("sha256").update("x").digest();
const of = (id) => new CryptographyClient(id, credential);

step("the key may not be read", async () => {
	await refusal(() => new KeyClient(VAULT_URL, credential).getKey(KEY_ID.split("/")[4]), 403, "Forbidden");
});
step("wrap and unwrap, by the vault", async () => {
	const wrapped = await of(KEY_ID).wrapKey("RSA-OAEP-256", secret);
	assert.deepEqual(Buffer.from((await of(KEY_ID).unwrapKey("RSA-OAEP-256", wrapped.result)).result), secret);
});
step("encrypt and decrypt, by the vault", async () => {
	const sealed = await of(KEY_ID).encrypt({ algorithm: "RSA-OAEP", plaintext: secret });
	assert.deepEqual(Buffer.from((await of(KEY_ID).decrypt({ algorithm: "RSA-OAEP", ciphertext: sealed.result })).result), secret);
});
step("sign and verify, by the vault", async () => {
	const { result } = await of(KEY_ID).sign("PS256", digest);
	assert.equal((await of(KEY_ID).verify("PS256", digest, result)).result, true);
	result[10] ^= 1;
	assert.equal((await of(KEY_ID).verify("PS256", digest, result)).result, false);
});
step("a disabled key is refused", async () => {
	await refusal(() => of(DISABLED_ID).unwrapKey("RSA-OAEP-256", randomBytes(256)), 403, "KeyDisabled");
	await refusal(() => of(DISABLED_ID).sign("RS256", digest), 403, "KeyDisabled");
});
step("an expired key wraps no more, but still unwraps", async () => {
	await refusal(() => of(EXPIRED_ID).wrapKey("RSA-OAEP-256", secret), 403, "Forbidden");
	const wrapped = Buffer.from(process.env.EXPIRED_WRAPPED, "base64url");
	assert.equal((await of(EXPIRED_ID).unwrapKey("RSA-OAEP-256", wrapped)).result.length, 32);
});

await runSteps();
