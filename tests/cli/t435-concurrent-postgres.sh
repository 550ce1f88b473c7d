#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Eight processes on one PostgreSQL server, which falls over twice meanwhile.
KIND=postgres
export KIND
. "$(dirname "$0")/t430-concurrent.sh"
