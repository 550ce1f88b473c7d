/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that appear whole or not at all, and the few path helpers around
 * them. Messages name the path as the caller gave it.
 */
#ifndef PV_FILE_H
#define PV_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <provisor/err.h>

/*
 * Read a whole file of at most `max` bytes into fresh memory (one byte more
 * than its length is allocated and zero, so text is terminated). A missing
 * file is PV_E_NOT_FOUND, a larger one PV_E_MALFORMED. Caller frees.
 */
PV_MUST_USE int pv_file_read(const char *path, size_t max, uint8_t **ret_data,
    size_t *ret_len, struct pv_error *e);

/* Read a file that must have exactly `len` bytes into `data`. */
PV_MUST_USE int pv_file_read_exact(
    const char *path, void *data, size_t len, struct pv_error *e);

/*
 * An output under way: bytes go to an exclusive temporary file beside the
 * target; commit makes it durable and renames it over the target; free
 * without commit removes it. A symbolic link as target is followed once, a
 * target that is not a regular file (a pipe, /dev/stdout) is written direct.
 */
struct pv_outfile; /* opaque */

PV_MUST_USE int pv_outfile_open(const char *path, mode_t mode,
    struct pv_outfile **ret_f, struct pv_error *e);
PV_MUST_USE int pv_outfile_write(
    struct pv_outfile *f, const void *data, size_t len, struct pv_error *e);
/* Overwrite bytes already written, at `off` from the start (back-filling). */
PV_MUST_USE int pv_outfile_rewrite(struct pv_outfile *f, uint64_t off,
    const void *data, size_t len, struct pv_error *e);
/* Bytes written so far, and their write end. */
uint64_t pv_outfile_size(const struct pv_outfile *f);
/*
 * Make the bytes durable, still under the temporary name. Several outputs that
 * shall appear together are synced first, so that a full disk shows before
 * any of them is committed.
 */
PV_MUST_USE int pv_outfile_sync(struct pv_outfile *f, struct pv_error *e);
/* fsync, rename, fsync the folder. The outfile still needs freeing. */
PV_MUST_USE int pv_outfile_commit(struct pv_outfile *f, struct pv_error *e);
void pv_outfile_free(struct pv_outfile *f);

/* open, write, commit in one call. mode 0600 for secret outputs. */
PV_MUST_USE int pv_file_write(const char *path, mode_t mode, const void *data,
    size_t len, struct pv_error *e);

/* pread(2) of exactly `len` bytes; a short file is PV_E_MALFORMED. */
PV_MUST_USE int pv_pread_exact(int fd, const char *path, void *data, size_t len,
    uint64_t off, struct pv_error *e);

/* mkdir -p; folders made get `mode`. */
PV_MUST_USE int pv_dir_make(const char *path, mode_t mode, struct pv_error *e);

/* "DIR/NAME" in fresh memory, NULL when out of memory. Caller frees. */
char *pv_path_join(const char *dir, const char *name);

/* "DIR/NAME" into a caller's buffer; PV_E_USAGE when it does not fit. */
PV_MUST_USE int pv_path_fit(char *dst, size_t cap, const char *dir,
    const char *name, struct pv_error *e);

/*
 * Take an exclusive advisory lock on a file, made with mode 0600 when
 * missing, waiting at most timeout_ms. The kernel drops it when the process
 * ends. Release by closing *ret_fd.
 */
PV_MUST_USE int pv_file_lock(
    const char *path, int timeout_ms, int *ret_fd, struct pv_error *e);

#endif
