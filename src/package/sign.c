/* SPDX-License-Identifier: Apache-2.0 */
/* Making and checking detached signatures of packages. */
#include <provisor/signature.h>

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/sigkey.h"
#include "formats/signature.h"
#include "package/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536U

int
pv_package_hash_fd(int fd, const char *path, uint8_t ret_digest[32],
    uint64_t *ret_size, struct pv_error *e)
{
	struct pv_sha256 *h = NULL;
	uint8_t *buf = malloc(CHUNK);
	uint64_t off = 0, end = 0;
	struct stat st;
	int r = 0;

	if (buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (fstat(fd, &st) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", path);
	else if (!S_ISREG(st.st_mode))
		r = pv_fail(
		    e, PV_E_MALFORMED, "'%s' is not a regular file", path);
	else
		end = (uint64_t)st.st_size;
	if (r == 0)
		r = pv_sha256_new(&h, e);
	while (r == 0 && off < end) {
		size_t n = end - off > CHUNK ? CHUNK : (size_t)(end - off);

		r = pv_pread_exact(fd, path, buf, n, off, e);
		if (r == 0)
			r = pv_sha256_update(h, buf, n, e);
		off += n;
	}
	if (r == 0)
		r = pv_sha256_final(h, ret_digest, e);
	if (r == 0)
		*ret_size = end;
	pv_sha256_free(h);
	free(buf);
	return r;
}

int
pv_package_hash(const char *path, uint8_t ret_digest[32], uint64_t *ret_size,
    struct pv_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;

	if (fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	r = pv_package_hash_fd(fd, path, ret_digest, ret_size, e);
	(void)close(fd);
	return r;
}

static int
check_alg(const struct pv_pubkey *pub, struct pv_error *e)
{
	enum pv_sig_alg alg = pv_pubkey_alg(pub);

	if (pv_sigfile_takes(alg))
		return 0;
	(void)pv_fail(e, PV_E_UNSUPPORTED, "packages are not signed with %s",
	    pv_sig_alg_name(alg));
	return pv_hint(e, "take a key of P-256, P-384 or Ed25519");
}

/* Everything of the signature but itself. */
static int
begin(const char *path, const struct pv_pubkey *pub, struct pv_signature *s,
    struct pv_error *e)
{
	struct pv_sfi_info info;
	int r = check_alg(pub, e);

	if (r != 0)
		return r;
	memset(s, 0, sizeof(*s));
	s->alg = pv_pubkey_alg(pub);
	r = pv_sfi_inspect(path, &info, NULL, NULL, e);
	if (r == 0)
		r = pv_package_hash(path, s->digest, &s->file_size, e);
	if (r == 0)
		r = pv_pubkey_id(pub, s->key_id, e);
	return r;
}

/* Not without a look at what came out of key or token. */
static int
finish(const struct pv_signature *s, const struct pv_pubkey *pub,
    const char *sig_path, struct pv_error *e)
{
	uint8_t msg[PV_SIGFILE_MESSAGE], data[PV_SIGFILE_MAX];
	size_t len = 0;
	int r;

	pv_sigfile_message(s, msg);
	r = pv_pubkey_verify(pub, msg, sizeof(msg), s->sig, s->sig_len, e);
	if (r != 0)
		return pv_wrap(e, "checking the signature just made");
	pv_sigfile_encode(s, data, &len);
	return pv_file_write(sig_path, 0644, data, len, e);
}

int
pv_signature_make_file(const char *path, const char *key_pem,
    const char *sig_path, struct pv_signature *ret_s, struct pv_error *e)
{
	struct pv_message_signer signer = { 0 };
	int r = pv_sigkey_signer(key_pem, NULL, &signer, e);

	if (r == 0)
		r = pv_signature_make(path, &signer, sig_path, ret_s, e);
	pv_message_signer_release(&signer);
	return r;
}

int
pv_signature_make(const char *path, const struct pv_message_signer *signer,
    const char *sig_path, struct pv_signature *ret_s, struct pv_error *e)
{
	uint8_t msg[PV_SIGFILE_MESSAGE];
	struct pv_pubkey *pub = NULL;
	struct pv_signature s;
	int r = pv_pubkey_from_spki(signer->spki, signer->spki_len, &pub, e);

	if (r == 0)
		r = begin(path, pub, &s, e);
	if (r == 0) {
		pv_sigfile_message(&s, msg);
		r = signer->sign(
		    signer->ctx, msg, sizeof(msg), s.sig, &s.sig_len, e);
	}
	if (r == 0)
		r = finish(&s, pub, sig_path, e);
	if (r == 0)
		*ret_s = s;
	pv_pubkey_free(pub);
	return r;
}

void
pv_message_signer_release(struct pv_message_signer *s)
{
	if (s->free != NULL)
		s->free(s->ctx);
	memset(s, 0, sizeof(*s));
}

static int
compare(const struct pv_signature *s, const uint8_t digest[32],
    uint64_t file_size, const struct pv_pubkey *pub, const char *pem,
    struct pv_error *e)
{
	uint8_t msg[PV_SIGFILE_MESSAGE], id[32];
	char theirs[65];
	int r;

	if (s->file_size != file_size)
		return pv_fail(e, PV_E_VERIFY,
		    "the package has %llu bytes, the signed one had %llu",
		    (unsigned long long)file_size,
		    (unsigned long long)s->file_size);
	if (memcmp(s->digest, digest, sizeof(s->digest)) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "the package is not the one that was signed (SHA-256 "
		    "differs)");
	r = pv_pubkey_id(pub, id, e);
	if (r != 0)
		return r;
	if (memcmp(s->key_id, id, sizeof(id)) != 0) {
		pv_hex_encode(theirs, s->key_id, sizeof(s->key_id));
		return pv_fail(e, PV_E_VERIFY,
		    "signed by another key (%.16s...) than '%s'", theirs, pem);
	}
	if (s->alg != pv_pubkey_alg(pub))
		return pv_fail(e, PV_E_VERIFY,
		    "signed by %s, the key is for %s", pv_sig_alg_name(s->alg),
		    pv_sig_alg_name(pv_pubkey_alg(pub)));
	pv_sigfile_message(s, msg);
	return pv_pubkey_verify(pub, msg, sizeof(msg), s->sig, s->sig_len, e);
}

int
pv_signature_check_digest(const uint8_t digest[32], uint64_t file_size,
    const char *sig_path, const char *pem, struct pv_signature *ret_s,
    struct pv_error *e)
{
	struct pv_pubkey *pub = NULL;
	struct pv_signature s;
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_pubkey_read_pem(pem, &pub, e);

	if (r == 0)
		r = check_alg(pub, e);
	if (r == 0)
		r = pv_file_read(sig_path, PV_SIGFILE_MAX, &data, &len, e);
	if (r == 0) {
		r = pv_sigfile_decode(data, len, &s, e);
		if (r == 0)
			r = compare(&s, digest, file_size, pub, pem, e);
		if (r != 0)
			(void)pv_wrap(e, "'%s'", sig_path);
	}
	if (r == 0)
		*ret_s = s;
	free(data);
	pv_pubkey_free(pub);
	return r;
}

int
pv_signature_check(const char *path, const char *sig_path, const char *pem,
    struct pv_signature *ret_s, struct pv_error *e)
{
	uint8_t digest[32];
	uint64_t size = 0;
	int r = pv_package_hash(path, digest, &size, e);

	if (r == 0)
		r = pv_signature_check_digest(
		    digest, size, sig_path, pem, ret_s, e);
	return r;
}
