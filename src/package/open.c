/* SPDX-License-Identifier: Apache-2.0 */
/* Reading packages: list, verify, unpack, calibrate. */
#include <provisor/sfi.h>

#include "base/file.h"
#include "formats/options_csv.h"
#include "formats/sfi.h"
#include "package/package.h"
#include <provisor/secret.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
	int fd;
	const char *path;
	const struct pv_sfi_key *key;
	bool aad_padded; /* only calibrate sets it */
	struct pv_sfi_info info;
	struct pv_secret *buf;
	const char *step; /* for progress */
	/* Where plaintext goes, or NULL: it is dropped. */
	struct pv_outfile *out;
	uint64_t came; /* plaintext bytes of the area at hand */
};

/* Walk once, which checks the layout of the whole file. */
static int
reader_open(struct reader *rd, const char *path, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e)
{
	struct stat st;

	rd->path = path;
	/* Not to hang on a FIFO; walk refuses what is not a file. */
	rd->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (rd->fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	if (fstat(rd->fd, &st) != 0)
		return pv_fail_errno(e, PV_E_IO, errno, "reading '%s'", path);
	rd->info.file_size = (uint64_t)st.st_size;
	return pv_sfi_walk(rd->fd, path, &rd->info.header, each, ctx, e);
}

static void
reader_close(struct reader *rd)
{
	if (rd->fd >= 0)
		(void)close(rd->fd);
	pv_secret_free(rd->buf);
}

/*
 * A protocol version we do not know: a newer package when its header tag
 * verifies, and a damaged one otherwise. `e` holds the former already.
 */
static int
check_newer(struct reader *rd, struct pv_error *e)
{
	uint8_t raw[PV_SFI_HEADER], tag[PV_SFI_TAG], iv[PV_SFI_NONCE];
	struct pv_error quiet;
	int r;

	r = pv_pread_exact(rd->fd, rd->path, raw, sizeof(raw), 0, e);
	if (r != 0)
		return r;
	memcpy(tag, raw + PV_SFI_HEADER_AAD, sizeof(tag));
	pv_sfi_iv(rd->key->iv_add, rd->key->nonce, 0, iv);
	r = pv_package_empty(
	    rd->key->sealer, true, iv, raw, PV_SFI_HEADER_AAD, tag, &quiet);
	if (r == 0)
		return PV_E_UNSUPPORTED;
	if (r == PV_E_VERIFY)
		return pv_fail(e, r,
		    "'%s': the tag of the file header does not verify, and "
		    "its protocol version is unknown",
		    rd->path);
	if (e != NULL)
		*e = quiet;
	return r;
}

static bool
has_magic(int fd)
{
	char magic[8];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, PV_SFI_MAGIC, sizeof(magic)) == 0;
}

/*
 * Open for a check. What has the magic but not the layout is a package that
 * was damaged, so it fails as a damaged tag would; and no plaintext is made.
 */
static int
reader_open_keyed(struct reader *rd, const char *path,
    const struct pv_sfi_key *key, struct pv_error *e)
{
	int r;

	rd->key = key;
	r = reader_open(rd, path, NULL, NULL, e);
	if (r == PV_E_UNSUPPORTED)
		return check_newer(rd, e);
	if (r == PV_E_MALFORMED && has_magic(rd->fd)) {
		char why[sizeof(e->msg)] = "";

		if (e != NULL)
			(void)snprintf(why, sizeof(why), "%s", e->msg);
		(void)pv_fail(e, PV_E_VERIFY, "damaged package: %s", why);
		return pv_hint(e, "get the file again from where it was made");
	}
	if (r == 0)
		r = pv_secret_new(PV_PACKAGE_BUF, &rd->buf, e);
	return r;
}

int
pv_sfi_inspect(const char *path, struct pv_sfi_info *ret_info,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e)
{
	struct reader rd = { .fd = -1 };
	int r = reader_open(&rd, path, each, ctx, e);

	if (r == 0)
		*ret_info = rd.info;
	reader_close(&rd);
	return r;
}

/* --- decryption ------------------------------------------------------------ */

/* The AAD as the file has it, or zero-padded (calibrate). */
static size_t
make_aad(const struct reader *rd, const uint8_t *raw, size_t exact,
    uint8_t ret_aad[16])
{
	memset(ret_aad, 0, 16);
	memcpy(ret_aad, raw, exact);
	return rd->aad_padded ? 16 : exact;
}

static int
check_header(struct reader *rd, struct pv_error *e)
{
	uint8_t raw[PV_SFI_HEADER], aad[16], iv[PV_SFI_NONCE];
	uint8_t tag[PV_SFI_TAG];
	size_t n;

	pv_sfi_header_encode(&rd->info.header, raw);
	n = make_aad(rd, raw, PV_SFI_HEADER_AAD, aad);
	pv_sfi_iv(rd->key->iv_add, rd->key->nonce, 0, iv);
	memcpy(tag, rd->info.header.tag, sizeof(tag));
	return pv_package_empty(rd->key->sealer, true, iv, aad, n, tag, e);
}

/* Take plaintext that is not verified yet: into a file nobody sees. */
static int
deliver(struct reader *rd, const uint8_t *data, size_t n, struct pv_error *e)
{
	rd->came += n;
	if (n == 0 || rd->out == NULL)
		return 0;
	return pv_outfile_write(rd->out, data, n, e);
}

/* End a decryption whose token kept `held` bytes back. */
static int
finish_held(struct reader *rd, const struct pv_sfi_area *a, uint64_t held,
    struct pv_error *e)
{
	const struct pv_sealer *s = rd->key->sealer;
	uint8_t tag[PV_SFI_TAG], *room = pv_secret_data(rd->buf), *big = NULL;
	size_t cap = PV_PACKAGE_BUF, got = 0;
	int r;

	if (held > PV_PACKAGE_HELD_MAX)
		return pv_fail(e, PV_E_HSM,
		    "area %u: the token holds back %llu bytes, more than this "
		    "program gives room for",
		    (unsigned int)a->index, (unsigned long long)held);
	if (held > cap) {
		cap = (size_t)held;
		big = malloc(cap);
		if (big == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		room = big;
	}
	memcpy(tag, a->tag, sizeof(tag));
	r = s->finish(s->ctx, tag, room, cap, &got, e);
	if (r == 0)
		r = deliver(rd, room, got, e);
	if (big != NULL) {
		pv_wipe(big, cap);
		free(big);
	}
	return r;
}

/* Decrypt one area and check its tag. */
static int
check_area(struct reader *rd, const struct pv_sfi_area *a, uint64_t at,
    struct pv_error *e)
{
	const struct pv_sealer *s = rd->key->sealer;
	uint8_t raw[PV_SFI_AREA], aad[16], iv[PV_SFI_NONCE];
	uint8_t *buf = pv_secret_data(rd->buf);
	uint64_t off = 0;
	size_t n, got = 0;
	int r;

	rd->came = 0;
	pv_sfi_area_encode(a, raw);
	n = make_aad(rd, raw, PV_SFI_AREA_AAD, aad);
	pv_sfi_iv(rd->key->iv_add, rd->key->nonce, a->index, iv);
	r = s->begin(s->ctx, true, iv, PV_SFI_NONCE, aad, n, e);
	while (r == 0 && off < a->size) {
		if (pv_progress_cancelled(rd->key->progress))
			return pv_fail(e, PV_E_INTERRUPTED, "interrupted");
		n = a->size - off > PV_PACKAGE_CHUNK ? PV_PACKAGE_CHUNK
						     : (size_t)(a->size - off);
		r = pv_pread_exact(rd->fd, rd->path, buf, n, at + off, e);
		if (r == 0)
			r = s->update(
			    s->ctx, buf, n, buf, PV_PACKAGE_BUF, &got, e);
		if (r == 0)
			r = deliver(rd, buf, got, e);
		off += n;
		pv_progress_at(
		    rd->key->progress, rd->step, at + off, rd->info.file_size);
	}
	if (r == 0 && rd->came > a->size)
		r = pv_fail(e, PV_E_HSM, "the token returned too many bytes");
	if (r == 0)
		r = finish_held(rd, a, a->size - rd->came, e);
	if (r == 0 && rd->came != a->size)
		r = pv_fail(e, PV_E_HSM, "the token returned %llu bytes for %u",
		    (unsigned long long)rd->came, (unsigned int)a->size);
	return r;
}

static int
check_area_cb(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct reader *rd = ctx;
	int r = check_area(rd, a, at, e);

	if (r == PV_E_VERIFY) {
		(void)pv_fail(e, r,
		    "area %u of %u (%c, 0x%08x, %u bytes): the tag does not "
		    "verify",
		    (unsigned int)a->index, (unsigned int)a->total, a->type,
		    (unsigned int)a->address, (unsigned int)a->size);
		(void)pv_hint(e,
		    "the header verifies, so key and nonce are right: the "
		    "file is damaged, or needs another --iv-add (see "
		    "'provisor sfi calibrate')");
	}
	return r;
}

static int
check_all(struct reader *rd, struct pv_error *e)
{
	struct pv_sfi_header again;
	int r;

	rd->step = "verify";
	pv_progress_step(rd->key->progress, rd->step);
	r = check_header(rd, e);
	if (r == PV_E_VERIFY) {
		(void)pv_fail(
		    e, r, "the tag of the file header does not verify");
		return pv_hint(e,
		    "wrong key, wrong nonce, or a damaged header; nothing was "
		    "decrypted");
	}
	if (r == 0)
		r = pv_sfi_walk(rd->fd, rd->path, &again, check_area_cb, rd, e);
	return r;
}

int
pv_sfi_verify(const char *path, const struct pv_sfi_key *key,
    struct pv_sfi_info *ret_info, struct pv_error *e)
{
	struct reader rd = { .fd = -1 };
	int r = reader_open_keyed(&rd, path, key, e);

	if (r == 0 && (r = check_all(&rd, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	if (r == 0)
		*ret_info = rd.info;
	reader_close(&rd);
	return r;
}

/* --- unpack ---------------------------------------------------------------- */

#define AREA_NAME 64U

struct unpacker {
	struct reader *rd;
	const char *dir;
	bool have_options; /* options.bin is taken */
	uint16_t made;	   /* areas written */
	int (*each)(void *ctx, const char *name, uint32_t size);
	void *ctx;
};

static bool
is_ours(const char *name)
{
	return strncmp(name, "area-", 5) == 0 ||
	       strcmp(name, "options.bin") == 0 ||
	       strcmp(name, "options.csv") == 0;
}

/* Files of an older package among the new ones would mislead. */
static int
check_dir(const char *dir, struct pv_error *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL)
		return pv_fail_errno(e, PV_E_IO, errno, "opening '%s'", dir);
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (!is_ours(de->d_name))
			continue;
		r = pv_fail(
		    e, PV_E_EXISTS, "'%s' already holds '%s'", dir, de->d_name);
		(void)pv_hint(e, "unpack into an empty folder");
	}
	(void)closedir(d);
	return r;
}

static int
report(struct unpacker *u, const char *name, uint32_t size)
{
	return u->each == NULL ? 0 : u->each(u->ctx, name, size);
}

/* options.csv beside options.bin. */
static int
write_csv(
    struct unpacker *u, const char *bin, uint32_t size, struct pv_error *e)
{
	uint8_t data[PV_SFI_MAX_OPTIONS];
	char text[PV_OPTCSV_MAX], path[4096];
	struct pv_optcsv o;
	size_t len = 0;
	int r;

	if (size > sizeof(data))
		return 0;
	r = pv_file_read_exact(bin, data, size, e);
	if (r != 0)
		return r;
	if (pv_optcsv_from_payload(data, size, &o, NULL) != 0)
		return 0;
	r = pv_optcsv_encode(&o, text, sizeof(text), &len, e);
	if (r == 0)
		r = pv_path_fit(path, sizeof(path), u->dir, "options.csv", e);
	if (r == 0)
		r = pv_file_write(path, 0600, text, len, e);
	if (r == 0)
		r = report(u, "options.csv", (uint32_t)len);
	return r;
}

/* Name and path of the file of an area. */
static int
area_path(const struct unpacker *u, const struct pv_sfi_area *a, bool options,
    char name[AREA_NAME], char path[4096], struct pv_error *e)
{
	if (options)
		(void)snprintf(name, AREA_NAME, "options.bin");
	else
		(void)snprintf(name, AREA_NAME, "area-%03u-%c-0x%08x.bin",
		    (unsigned int)a->index, a->type, (unsigned int)a->address);
	return pv_path_fit(path, 4096, u->dir, name, e);
}

static int
unpack_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct unpacker *u = ctx;
	char name[AREA_NAME], path[4096];
	bool options = a->type == 'C' && !u->have_options;
	int r = area_path(u, a, options, name, path, e);

	if (r == 0)
		r = pv_outfile_open(path, 0600, &u->rd->out, e);
	if (r == 0)
		r = check_area_cb(u->rd, a, at, e);
	if (r == 0)
		r = pv_outfile_commit(u->rd->out, e);
	pv_outfile_free(u->rd->out);
	u->rd->out = NULL;
	if (r != 0)
		return r;
	u->made = a->index;
	u->have_options = u->have_options || options;
	r = report(u, name, a->size);
	if (r == 0 && options)
		r = write_csv(u, path, a->size, e);
	return r;
}

/* After a failure: take away what this call had written. */
static int
remove_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct unpacker *u = ctx;
	char name[AREA_NAME], path[4096];
	bool options = a->type == 'C' && !u->have_options;

	(void)at;
	if (a->index > u->made)
		return 1; /* enough */
	if (area_path(u, a, options, name, path, e) == 0)
		(void)unlink(path);
	if (options &&
	    pv_path_fit(path, sizeof(path), u->dir, "options.csv", e) == 0)
		(void)unlink(path);
	u->have_options = u->have_options || options;
	return 0;
}

static void
remove_all(struct unpacker *u)
{
	struct pv_sfi_header again;
	struct pv_error ignored;

	u->have_options = false;
	if (pv_sfi_walk(
		u->rd->fd, u->rd->path, &again, remove_area, u, &ignored) != 0)
		return;
}

int
pv_sfi_unpack(const char *path, const struct pv_sfi_key *key, const char *dir,
    struct pv_sfi_info *ret_info,
    int (*each)(void *ctx, const char *name, uint32_t size), void *ctx,
    struct pv_error *e)
{
	struct reader rd = { .fd = -1 };
	struct unpacker u = { .rd = &rd, .dir = dir, .each = each, .ctx = ctx };
	struct pv_sfi_header again;
	int r = reader_open_keyed(&rd, path, key, e);

	if (r == 0 && (r = check_all(&rd, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	if (r == 0)
		r = check_dir(dir, e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	if (r == 0) {
		rd.step = "unpack";
		pv_progress_step(key->progress, rd.step);
		r = pv_sfi_walk(rd.fd, path, &again, unpack_area, &u, e);
		if (r != 0)
			remove_all(&u);
	}
	if (r == 0)
		*ret_info = rd.info;
	reader_close(&rd);
	return r;
}

/* --- calibrate -------------------------------------------------------------- */

struct trial_run {
	struct reader *rd;
	struct pv_sfi_trial *trial;
};

static int
try_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct trial_run *t = ctx;
	struct pv_error quiet;
	int r = check_area(t->rd, a, at, &quiet);

	if (r == 0)
		t->trial->areas_ok++;
	else if (r == PV_E_VERIFY)
		r = 0;
	else if (e != NULL)
		*e = quiet;
	return r;
}

static int
try_one(struct reader *rd, struct pv_sfi_trial *trial, struct pv_error *e)
{
	struct trial_run t = { .rd = rd, .trial = trial };
	struct pv_sfi_header again;
	struct pv_error quiet;
	int r;

	rd->aad_padded = trial->aad_padded;
	r = check_header(rd, &quiet);
	trial->header_ok = r == 0;
	if (r != 0 && r != PV_E_VERIFY) {
		if (e != NULL)
			*e = quiet;
		return r;
	}
	r = pv_sfi_walk(rd->fd, rd->path, &again, try_area, &t, e);
	trial->all_ok =
	    trial->header_ok && trial->areas_ok == rd->info.header.n_areas;
	return r;
}

int
pv_sfi_calibrate(const char *path, const struct pv_sfi_key *key,
    struct pv_sfi_info *ret_info, struct pv_sfi_trial ret_trials[PV_SFI_TRIALS],
    struct pv_error *e)
{
	struct reader rd = { .fd = -1, .step = "calibrate" };
	struct pv_sfi_key k = *key;
	bool found = false;
	int r = reader_open_keyed(&rd, path, &k, e);

	pv_progress_step(key->progress, rd.step);
	memset(ret_trials, 0, PV_SFI_TRIALS * sizeof(*ret_trials));
	for (size_t i = 0; r == 0 && i < PV_SFI_TRIALS; i++) {
		struct pv_sfi_trial *t = &ret_trials[i];

		t->iv_add = (enum pv_sfi_iv_add)(i / 2);
		t->aad_padded = i % 2 != 0;
		k.iv_add = t->iv_add;
		r = try_one(&rd, t, e);
		found = found || t->all_ok;
	}
	if (r == 0) {
		*ret_info = rd.info;
		if (!found) {
			r = pv_fail(e, PV_E_VERIFY,
			    "'%s': no combination verifies every tag", path);
			(void)pv_hint(e, "check the key and the nonce");
		}
	}
	reader_close(&rd);
	return r;
}
