/* SPDX-License-Identifier: Apache-2.0 */
/* Functions nobody may call here: included before every source file. */
#ifndef PV_BANNED_H
#define PV_BANNED_H

#ifndef __cplusplus
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol
#pragma GCC poison alloca system popen mktemp tmpnam rand srand strncat
#endif

#endif
