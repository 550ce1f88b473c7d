#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 'license issue' where every call that changes a file fails once: exit 1 or 6
# with a message, or a license that is whole; then asked again as after a kill.
HOW=error=EIO
export HOW
. "$(dirname "$0")/t440-kill.sh"
