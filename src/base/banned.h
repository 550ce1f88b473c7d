/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions nobody may call here; the build includes this file before every
 * source file. Each has a safer form: snprintf, strtoul, mkstemp, our own
 * pv_parse_u64 and pv_random, or a buffer with a length.
 */
#ifndef PV_BANNED_H
#define PV_BANNED_H

/* The headers that declare them come first, then the names are taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PV_BANNED(name) pv_banned_##name

#undef alloca
#undef strcpy
#undef strcat
#undef strncat
#undef strtok
#undef sprintf
#undef vsprintf
#define alloca	 PV_BANNED(alloca)
#define strcpy	 PV_BANNED(strcpy)
#define strcat	 PV_BANNED(strcat)
#define strncat	 PV_BANNED(strncat)
#define strtok	 PV_BANNED(strtok)
#define sprintf	 PV_BANNED(sprintf)
#define vsprintf PV_BANNED(vsprintf)
#define gets	 PV_BANNED(gets)
#define atoi	 PV_BANNED(atoi)
#define atol	 PV_BANNED(atol)
#define system	 PV_BANNED(system)
#define popen	 PV_BANNED(popen)
#define mktemp	 PV_BANNED(mktemp)
#define tmpnam	 PV_BANNED(tmpnam)
#define rand	 PV_BANNED(rand)
#define srand	 PV_BANNED(srand)

#endif
