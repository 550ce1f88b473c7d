/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of the secure-install exchange, shared by the host driver and the
 * device agent; the text is formats/secure-install.md. Constants only: each
 * side has its own code.
 */
#ifndef PROVISOR_SECURE_INSTALL_H
#define PROVISOR_SECURE_INSTALL_H

/* Subcommands of Special (0x50): small data in, small data out. */
#define PV_SI_INFO	  0x5001U /* in: -            out: info, 32 bytes */
#define PV_SI_CERTIFICATE 0x5002U /* in: off16 len16  out: len bytes */
#define PV_SI_HEADER	  0x5003U /* in: 28 bytes     out: -, status */
#define PV_SI_AREA_BEGIN  0x5004U /* in: 30 bytes     out: -, status */
#define PV_SI_AREA_END	  0x5005U /* in: index16      out: -, status */
#define PV_SI_FINISH	  0x5006U /* in: -            out: -, status */
#define PV_SI_STATUS	  0x5007U /* in: -            out: report, 16 bytes */
#define PV_SI_ABORT	  0x5008U /* in: -            out: -, status */
#define PV_SI_CHECK	  0x5009U /* in: 30 bytes     out: -, status */
#define PV_SI_PAUSE	  0x500aU /* in: -            out: pause, 36 bytes */
/* Subcommands of Extended Special (0x51): two packets in, status out. */
#define PV_SI_LICENSE	  0x5101U /* 64-byte campaign key; license */
#define PV_SI_AREA_DATA	  0x5102U /* index16 offset32; ciphertext <= 1024 */

#define PV_SI_VERSION	 2U /* of this exchange, in info */
#define PV_SI_INFO_LEN	 48U
#define PV_SI_REPORT_LEN 16U
#define PV_SI_PAUSE_LEN	 36U
#define PV_SI_STATUS_LEN 8U /* bytes of every status */
#define PV_SI_DATA_MAX	 1024U
#define PV_SI_CERT_CHUNK 128U /* most bytes of one certificate read */
#define PV_SI_AREAS_MAX	 512U /* areas of one package, of any type */
#define PV_SI_PLACES_MAX 64U  /* stretches of memory it fills */

/* What a device takes besides F and C areas, in info. */
#define PV_SI_TAKES_KEYS    0x1U /* K */
#define PV_SI_TAKES_MODULES 0x2U /* M */

/* State of the agent, byte 0 of a status and of the report. */
#define PV_SI_STATE_IDLE     0U /* nothing begun; flash as it was */
#define PV_SI_STATE_LICENSED 1U /* license unwrapped */
#define PV_SI_STATE_READY    2U /* header verified, flash still untouched */
#define PV_SI_STATE_AREA     3U /* inside an area */
#define PV_SI_STATE_FAILED   4U /* failed; what was written is erased */
#define PV_SI_STATE_DONE     5U /* finished; restarts after the answer */
#define PV_SI_STATE_BROKEN   6U /* neither erased nor finished; see abort */
#define PV_SI_STATE_PAUSED   7U /* between parts; does not start */

/* Result codes, bytes 2..3 of a status. */
#define PV_SI_OK		  0x0000U
#define PV_SI_E_SEQUENCE	  0x0001U /* not allowed in this state */
#define PV_SI_E_LENGTH		  0x0002U
#define PV_SI_E_LICENSE_FORMAT	  0x0010U
#define PV_SI_E_LICENSE_SIGNATURE 0x0011U
#define PV_SI_E_LICENSE_KEY	  0x0012U /* not the pinned campaign key */
#define PV_SI_E_LICENSE_PRODUCT	  0x0013U
#define PV_SI_E_LICENSE_UNWRAP	  0x0014U /* made for another chip */
#define PV_SI_E_HEADER_FORMAT	  0x0020U
#define PV_SI_E_HEADER_TAG	  0x0021U
#define PV_SI_E_AREA_COUNT	  0x0022U /* more than the device holds */
#define PV_SI_E_PACKAGE		  0x0023U /* not the one that was begun */
#define PV_SI_E_AREA_ORDER	  0x0030U
#define PV_SI_E_AREA_TYPE	  0x0031U
#define PV_SI_E_AREA_RANGE	  0x0032U
#define PV_SI_E_AREA_SIZE	  0x0033U /* more or less data than announced */
#define PV_SI_E_AREA_TAG	  0x0034U
#define PV_SI_E_AREA_OVERLAP	  0x0035U
#define PV_SI_E_AREA_MODULE	  0x0036U /* the device takes no modules */
#define PV_SI_E_MODULE_FORMAT	  0x0037U
#define PV_SI_E_AREA_KEY	  0x0038U /* no key at the key address */
#define PV_SI_E_AREA_MODE	  0x0039U /* no such region or mode */
#define PV_SI_E_OPTIONS		  0x0040U /* option bytes refused */
#define PV_SI_E_FLASH_ERASE	  0x0050U
#define PV_SI_E_FLASH_PROGRAM	  0x0051U
#define PV_SI_E_FLASH_LOCKED	  0x0052U /* write-protected sector */
#define PV_SI_E_INCOMPLETE	  0x0060U /* finish before the last area */
#define PV_SI_E_INTERNAL	  0x00ffU

#endif
