// SPDX-License-Identifier: MIT
// Everything that an administrator of keys does, by the official client with its challenge
// verification on. VAULT_URL: the vault; the identity comes from the environment.
import assert from "node:assert/strict";
import { randomBytes, createHash, generateKeyPairSync, createPublicKey, verify as verifyLocally, constants } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { refusal, runSteps, step } from "./steps.mjs";

const { VAULT_URL, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_AUTHORITY_HOST } = process.env;
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, {
	authorityHost: AZURE_AUTHORITY_HOST,
	disableInstanceDiscovery: true,
});
const client = new KeyClient(VAULT_URL, credential);
const fast = { intervalInMs: 100 };
const secret = randomBytes(32);
let first, crypto;

async function all(iterator) {
	const found = [];
	for await (const item of iterator) found.push(item);
	return found;
}

step("create an RSA key", async () => {
	first = await client.createRsaKey("sdk-rsa", { keySize: 2048, tags: { made: "by a test" } });
	assert.equal(first.keyType, "RSA");
	assert.equal(first.key.n.length, 256);
	assert.match(first.properties.version, /^[0-9a-f]{32}$/);
	assert.deepEqual(new Set(first.keyOperations), new Set(["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]));
});
step("get it, newest and by version", async () => {
	assert.equal((await client.getKey("sdk-rsa")).id, first.id);
	assert.equal((await client.getKey("sdk-rsa", { version: first.properties.version })).properties.tags.made, "by a test");
	await refusal(() => client.getKey("no-such-key"), 404, "KeyNotFound");
});
step("update its properties", async () => {
	const expiresOn = new Date(Date.now() + 90 * 864e5);
	expiresOn.setMilliseconds(0);
	const updated = await client.updateKeyProperties("sdk-rsa", first.properties.version, { expiresOn, tags: { made: "again" } });
	assert.equal(updated.properties.expiresOn.getTime(), expiresOn.getTime());
	assert.equal(updated.properties.tags.made, "again");
	assert.equal(updated.properties.enabled, true);
});
step("wrap and unwrap", async () => {
	crypto = new CryptographyClient(first.id, credential);
	for (const alg of ["RSA-OAEP-256", "RSA-OAEP"]) {
		const wrapped = await crypto.wrapKey(alg, secret);
		assert.equal(wrapped.result.length, 256);
		assert.deepEqual(Buffer.from((await crypto.unwrapKey(alg, wrapped.result)).result), secret);
	}
});
step("encrypt and decrypt", async () => {
	const sealed = await crypto.encrypt({ algorithm: "RSA-OAEP-256", plaintext: secret });
	const opened = await crypto.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: sealed.result });
	assert.deepEqual(Buffer.from(opened.result), secret);
	await refusal(() => crypto.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: randomBytes(256) }), 400, "BadParameter");
});
step("sign and verify, also without the vault", async () => {
	const data = Buffer.from("signed by the vault"), digest = createHash("sha256").update(data).digest();
	const { n, e } = first.key;
	const key = createPublicKey({ format: "jwk", key: { kty: "RSA", n: Buffer.from(n).toString("base64url"), e: Buffer.from(e).toString("base64url") } });
	for (const [alg, padding] of [["RS256", constants.RSA_PKCS1_PADDING], ["PS256", constants.RSA_PKCS1_PSS_PADDING]]) {
		const { result } = await crypto.sign(alg, digest);
		assert.equal((await crypto.verify(alg, digest, result)).result, true);
		assert.ok(verifyLocally("sha256", data, { key, padding, saltLength: 32 }, result));
	}
});
step("rotate, by hand and by policy", async () => {
	const second = await client.rotateKey("sdk-rsa");
	assert.notEqual(second.properties.version, first.properties.version);
	assert.equal((await client.getKey("sdk-rsa")).properties.version, second.properties.version);
	await client.updateKeyRotationPolicy("sdk-rsa", { expiresIn: "P90D", lifetimeActions: [{ action: "Rotate", timeBeforeExpiry: "P30D" }] });
	const policy = await client.getKeyRotationPolicy("sdk-rsa");
	assert.equal(policy.expiresIn, "P90D");
	assert.ok(policy.lifetimeActions.some((a) => a.action === "Rotate" && a.timeBeforeExpiry === "P30D"));
});
step("list keys and versions, over several pages", async () => {
	for (let i = 0; i < 28; i++) await client.createEcKey(`sdk-list-${i}`, { curve: "P-256" });
	const names = (await all(client.listPropertiesOfKeys())).map((k) => k.name);
	for (let i = 0; i < 28; i++) assert.ok(names.includes(`sdk-list-${i}`), `sdk-list-${i} is not listed`);
	assert.equal(new Set(names).size, names.length);
	let pages = 0;
	for await (const page of client.listPropertiesOfKeys().byPage({ maxPageSize: 10 })) pages += page.length > 0;
	assert.ok(pages >= 3);
	const versions = await all(client.listPropertiesOfKeyVersions("sdk-rsa"));
	assert.equal(versions.length, 2);
	assert.ok(versions.some((v) => v.version === first.properties.version));
});
step("back up, purge, restore", async () => {
	const backup = await client.backupKey("sdk-rsa");
	assert.ok(backup.length > 100);
	const poller = await client.beginDeleteKey("sdk-rsa", fast);
	await poller.pollUntilDone();
	await refusal(() => client.restoreKeyBackup(backup), 409, "Conflict");
	await client.purgeDeletedKey("sdk-rsa");
	const restored = await client.restoreKeyBackup(backup);
	assert.equal(restored.name, "sdk-rsa");
	const again = new CryptographyClient(first.id, credential);
	const wrapped = await again.wrapKey("RSA-OAEP-256", secret);
	assert.deepEqual(Buffer.from((await again.unwrapKey("RSA-OAEP-256", wrapped.result)).result), secret);
	const broken = Uint8Array.from(backup);
	broken[broken.length >> 1] ^= 1;
	await refusal(() => client.restoreKeyBackup(broken), 400);
});
step("delete, look at, recover", async () => {
	const deleting = await client.beginDeleteKey("sdk-rsa", fast);
	const deleted = await deleting.pollUntilDone();
	assert.match(deleted.properties.recoveryId, /\/deletedkeys\/sdk-rsa$/);
	assert.ok(deleted.properties.scheduledPurgeDate > new Date());
	await refusal(() => client.getKey("sdk-rsa"), 404, "KeyNotFound");
	await refusal(() => client.createRsaKey("sdk-rsa"), 409, "Conflict");
	assert.ok((await all(client.listDeletedKeys())).some((k) => k.name === "sdk-rsa"));
	assert.equal((await client.getDeletedKey("sdk-rsa")).name, "sdk-rsa");
	const recovering = await client.beginRecoverDeletedKey("sdk-rsa", fast);
	assert.equal((await recovering.pollUntilDone()).name, "sdk-rsa");
	assert.equal((await client.getKey("sdk-rsa")).name, "sdk-rsa");
});
step("delete and purge", async () => {
	const poller = await client.beginDeleteKey("sdk-list-0", fast);
	await poller.pollUntilDone();
	await client.purgeDeletedKey("sdk-list-0");
	await refusal(() => client.getDeletedKey("sdk-list-0"), 404, "KeyNotFound");
});
step("import a key made elsewhere", async () => {
	const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
	const jwk = privateKey.export({ format: "jwk" });
	const key = { kty: "RSA", keyOps: ["wrapKey", "unwrapKey"] };
	for (const part of ["n", "e", "d", "dp", "dq", "qi", "p", "q"]) key[part] = Buffer.from(jwk[part], "base64url");
	const imported = await client.importKey("sdk-imported", key);
	assert.equal(imported.key.n.length, 384);
	const wrapped = await new CryptographyClient(imported.id, credential).wrapKey("RSA-OAEP-256", secret);
	const opened = await new CryptographyClient(imported.id, credential).unwrapKey("RSA-OAEP-256", wrapped.result);
	assert.deepEqual(Buffer.from(opened.result), secret);
});
step("a disabled key is still shown", async () => {
	const key = await client.getKey("sdk-imported");
	await client.updateKeyProperties("sdk-imported", key.properties.version, { enabled: false });
	assert.equal((await client.getKey("sdk-imported")).properties.enabled, false);
});

await runSteps();
