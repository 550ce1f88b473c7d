#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 'license issue' killed at every call, with the ledger on a PostgreSQL server.
KIND=postgres
export KIND
. "$(dirname "$0")/t440-kill.sh"
