// SPDX-License-Identifier: MIT
// xts_gcrypt enc|dec KEYFILE SECTOR-SIZE OFFSET <IN >OUT: whole sectors of a LUKS2 data segment
// (aes-xts-plain64, 512-bit key) through libgcrypt, for comparison with what the program writes: it
// shares no code with it. OFFSET is that of IN's first byte in the data segment; the tweak counts
// in 512-byte units.
#include <gcrypt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 64u
#define SECTOR_MAX 4096u

static void must(gcry_error_t e, const char *what)
{
	if (!e)
		return;
	(void)fprintf(stderr, "xts_gcrypt: %s: %s\n", what, gcry_strerror(e));
	exit(70);
}

static gcry_cipher_hd_t cipher_of(const char *path)
{
	uint8_t key[KEY_LEN + 1];
	gcry_cipher_hd_t h;
	FILE *f = fopen(path, "re");

	if (!f || fread(key, 1, sizeof(key), f) != KEY_LEN) {
		(void)fprintf(stderr, "xts_gcrypt: %s holds no %u bytes of key\n", path, KEY_LEN);
		exit(66);
	}
	(void)fclose(f);
	must(gcry_cipher_open(&h, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_XTS, 0), "open");
	must(gcry_cipher_setkey(h, key, KEY_LEN), "set the key");
	return h;
}

static void crypt_sector(gcry_cipher_hd_t h, bool encrypt, uint64_t tweak, uint8_t *buf, size_t len)
{
	uint8_t iv[16] = {0};

	for (size_t i = 0; i < 8; i++)
		iv[i] = (uint8_t)(tweak >> (8 * i));
	must(gcry_cipher_setiv(h, iv, sizeof(iv)), "set the tweak");
	must(encrypt ? gcry_cipher_encrypt(h, buf, len, NULL, 0)
		     : gcry_cipher_decrypt(h, buf, len, NULL, 0),
		"XTS");
}

int main(int argc, char **argv)
{
	uint8_t buf[SECTOR_MAX];
	size_t got;

	if (argc != 5 || (strcmp(argv[1], "enc") != 0 && strcmp(argv[1], "dec") != 0)) {
		(void)fprintf(
			stderr, "usage: xts_gcrypt enc|dec KEYFILE SECTOR-SIZE OFFSET <IN >OUT\n");
		return 64;
	}
	size_t sector = strtoul(argv[3], NULL, 10);
	uint64_t off = strtoull(argv[4], NULL, 10);
	if ((sector != 512 && sector != SECTOR_MAX) || off % sector) {
		(void)fprintf(stderr, "xts_gcrypt: whole sectors of 512 or 4096 bytes only\n");
		return 64;
	}
	(void)gcry_check_version(NULL);
	must(gcry_control(GCRYCTL_DISABLE_SECMEM, 0), "initialise");
	must(gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0), "initialise");
	gcry_cipher_hd_t h = cipher_of(argv[2]);
	for (; (got = fread(buf, 1, sector, stdin)) == sector; off += sector) {
		crypt_sector(h, argv[1][0] == 'e', off / 512, buf, sector);
		if (fwrite(buf, 1, sector, stdout) != sector)
			return 74;
	}
	gcry_cipher_close(h);
	if (got || fflush(stdout)) {
		(void)fprintf(stderr, "xts_gcrypt: a part of a sector, or an output error\n");
		return 74;
	}
	return 0;
}
