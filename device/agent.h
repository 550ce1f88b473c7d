/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secure-install agent: the device's side of formats/secure-install.md.
 * It takes a license and an encrypted package, decrypts, verifies and
 * programs it, and erases all of flash when anything goes wrong.
 *
 * No memory is allocated: the caller provides the struct, and the functions
 * of the part and its cryptography.
 */
#ifndef PV_DEVICE_AGENT_H
#define PV_DEVICE_AGENT_H

#include "device/an3155.h"
#include "device/port.h"
#include <provisor/secure_install.h>

#define PV_AGENT_AREAS	 PV_SI_AREAS_MAX
#define PV_AGENT_SECTORS 2048U /* highest sector number + 1 */
#define PV_AGENT_HOLD	 32U   /* most bytes held back of an area */
#define PV_AGENT_OPTIONS 128U  /* bytes of a C area */
#define PV_AGENT_PLACES	 PV_SI_PLACES_MAX
#define PV_AGENT_COLLECT 512U /* bytes of a K or C area, of heads */
#define PV_AGENT_CERT	 136U

/* How an area's number is added to the nonce. */
enum pv_agent_iv_add {
	PV_AGENT_IV_BE96,    /* one big-endian integer of 96 bits */
	PV_AGENT_IV_LE32_HI, /* little-endian u32 in bytes 8..11 */
	PV_AGENT_IV_LE32_LO, /* little-endian u32 in bytes 0..3 */
};

/* All return 0, or nonzero on failure (a bad tag, a point off the curve). */
struct pv_agent_crypto {
	void *ctx;
	int (*sha256)(
	    void *ctx, const uint8_t *data, size_t len, uint8_t digest[32]);
	/* ECDSA P-256: public key X, Y; signature r, s. */
	int (*verify)(void *ctx, const uint8_t pub[64],
	    const uint8_t digest[32], const uint8_t sig[64]);
	/* X coordinate of (chip's private key) * peer. */
	int (*ecdh)(void *ctx, const uint8_t peer[64], uint8_t z[32]);
	/* AES-256-ECB of 32 bytes. */
	int (*ecb)(void *ctx, const uint8_t key[32], const uint8_t in[32],
	    uint8_t out[32]);
	/* RFC 3394, AES-256: `len` bytes (24, 40) to len - 8. */
	int (*unwrap)(void *ctx, const uint8_t kek[32], const uint8_t *in,
	    size_t len, uint8_t *out);
	/* AES-128-GCM decryption as a stream; begin drops an older one. */
	int (*gcm_begin)(void *ctx, const uint8_t key[16], const uint8_t iv[12],
	    const uint8_t *aad, size_t aad_len);
	int (*gcm_update)(
	    void *ctx, const uint8_t *in, uint8_t *out, size_t len);
	/* Compares in constant time. */
	int (*gcm_check)(void *ctx, const uint8_t tag[16]);
	/* Forget key and stream. */
	void (*gcm_end)(void *ctx);
	/* For keys that stay in the part; NULL: no K areas are taken. */
	int (*random)(void *ctx, uint8_t *data, size_t len);
};

/*
 * The note: what the agent must know after a loss of power. A write replaces
 * all of it or nothing; a read of a note never written gives all 0xFF or all
 * zero bytes.
 */
#define PV_AGENT_NOTE_LEN 3544U
enum pv_agent_note {
	PV_AGENT_NOTE_NONE,	 /* never written */
	PV_AGENT_NOTE_UNDER_WAY, /* an install began and did not end */
	PV_AGENT_NOTE_DONE,	 /* the last install finished */
	PV_AGENT_NOTE_FAILED,	 /* the last install failed and was erased */
	PV_AGENT_NOTE_APPLYING, /* all programmed; option bytes to be applied */
	PV_AGENT_NOTE_PAUSED,	/* between two parts */
	PV_AGENT_NOTE_INVALID,	/* damaged */
};
enum pv_agent_note pv_agent_note_state(const uint8_t note[PV_AGENT_NOTE_LEN]);

struct pv_agent_store {
	void *ctx;
	int (*note_read)(void *ctx, uint8_t note[PV_AGENT_NOTE_LEN]);
	int (*note_write)(void *ctx, const uint8_t note[PV_AGENT_NOTE_LEN]);
	/* Would these option bytes be accepted? Changes nothing. */
	int (*options_check)(void *ctx, const uint8_t *data, size_t len);
	/*
	 * Nonzero: none of them is in force. Called again with the same bytes
	 * after a loss of power: what is in force already is success, also
	 * where it protects itself from being changed.
	 */
	int (*options_apply)(void *ctx, const uint8_t *data, size_t len);
	/*
	 * Keep the 48-byte header of a module whose body is in flash, until
	 * modules_forget; the same one again is kept once. Both NULL: the
	 * part takes no modules.
	 */
	int (*module_keep)(void *ctx, const uint8_t header[48]);
	int (*modules_forget)(void *ctx);
};

struct pv_agent_config {
	uint16_t device_id;
	uint32_t flash_base, flash_size;
	uint8_t erased;	       /* byte value of erased flash */
	uint32_t option_bytes; /* size of the C area; 0: none is taken */
	enum pv_agent_iv_add iv_add;
	const uint8_t *certificate;   /* 136 bytes */
	const uint8_t *campaign_hash; /* 32 bytes, or NULL: none pinned */
	const struct pv_dev_external *external; /* or NULL: none */
};

/* A stretch of memory that this install fills. */
struct pv_agent_place {
	uint8_t type;  /* 'F', 'M', 'K', 'E' */
	uint32_t base; /* address of its first unit */
	uint32_t addr, size;
	uint32_t crc;		     /* of whole units, as they must be read */
	uint8_t held[PV_AGENT_HOLD]; /* first unit of F and M */
};

struct pv_agent {
	const struct pv_agent_config *config;
	const struct pv_dev_memory *memory;
	const struct pv_agent_crypto *crypto;
	const struct pv_agent_store *store;
	uint32_t unit; /* bytes held back and programmed at a time */

	uint8_t state; /* PV_SI_STATE_* */
	uint8_t last_status[PV_SI_STATUS_LEN];
	uint16_t areas, areas_total; /* completed, announced */

	/* the package: SHA-256 of its header, then chained over the areas */
	uint8_t package[32], chain[32];
	uint32_t token; /* address of the last P area */
	bool paused;	/* between parts: nothing but R may follow */

	/* the area under way */
	uint8_t area_type;
	uint8_t area_header[30];
	uint32_t area_size, received;
	uint32_t last_off, last_len; /* chunk accepted last; len 0: none */
	uint32_t collected;	     /* bytes that are not memory */
	uint32_t data_addr, data_size, data_done; /* bytes that are */
	uint8_t block[PV_AGENT_HOLD];		  /* the unit being filled */
	uint8_t collect[PV_AGENT_COLLECT];
	uint32_t region, mode; /* of an E area */
	uint8_t region_key[16];

	/* how far the install under way got, as the next start will see it */
	bool mark;	/* the note may say that one is under way */
	bool durable;	/* it says so, and no other thing */
	bool committed; /* option bytes may be in force: erase no more */
	uint8_t erased[PV_AGENT_SECTORS / 8]; /* since the start, by number */

	size_t n_places;
	struct pv_agent_place places[PV_AGENT_PLACES];
	uint32_t options_len;
	uint8_t options[PV_AGENT_OPTIONS];

	uint8_t nonce[12];
	uint8_t key[16];
	uint8_t plain[PV_SI_DATA_MAX];
	uint8_t note[PV_AGENT_NOTE_LEN]; /* while it is read or written */
};

/*
 * Set up and do what a start must do: read the note, and when an install was
 * cut off erase flash, or, when only its option bytes were left to apply,
 * finish it; between two parts wait for the rest. All pointers are borrowed.
 */
void pv_agent_init(struct pv_agent *a, const struct pv_agent_config *config,
    const struct pv_dev_memory *memory, const struct pv_agent_crypto *crypto,
    const struct pv_agent_store *store);

/* For struct pv_an_specials; ctx is the agent. */
bool pv_agent_known(
    void *ctx, uint8_t opcode, uint16_t sub, enum pv_an_lock lock);
void pv_agent_run(void *ctx, struct pv_an_special *s);

/*
 * True while flash holds parts of an unfinished package: memory commands of
 * the bootloader must be refused then.
 */
bool pv_agent_installing(const struct pv_agent *a);

#endif
