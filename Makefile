# provisor: one non-recursive GNU Makefile. `make help` lists the targets.
#
# Sources are found by folder: a new file in a folder below needs no line here.

VERSION := $(shell cat VERSION)
VARIANT ?= release
B := build/$(VARIANT)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share/provisor
MANDIR ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d

CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
INSTALL ?= install

# --- libraries ---------------------------------------------------------------

PKGS := libcrypto p11-kit-1 libserialport libusb-1.0 libcjson popt libelf sqlite3
NOPKG := clean help format dist
ifneq ($(filter-out $(NOPKG),$(or $(MAKECMDGOALS),all)),)
MISSING := $(strip $(foreach p,$(PKGS),$(shell $(PKG_CONFIG) --exists $(p) || echo $(p))))
ifneq ($(MISSING),)
$(error missing libraries: $(MISSING). On Debian, 'scripts/check' installs them)
endif
WITH :=
LAZY :=
# Optional: boot records in images.
ifeq ($(shell $(PKG_CONFIG) --exists libcbor && echo yes),yes)
PKGS += libcbor
WITH += -DPV_WITH_LIBCBOR
endif
# Optional, and loaded by the commands that need them (src/base/lazy.h): the
# ledger of many stations; OB keys and images described by ST's XML files.
soname = $(shell objdump -p $$($(CC) -print-file-name=lib$(1).so) | \
	awk '$$1 == "SONAME" { print $$2 }')
ifeq ($(shell $(PKG_CONFIG) --exists libpq && echo yes),yes)
LAZY += libpq
WITH += -DPV_WITH_LIBPQ -DPV_LIBPQ_SONAME='"$(call soname,pq)"'
endif
ifeq ($(shell $(PKG_CONFIG) --exists libxml-2.0 && echo yes),yes)
LAZY += libxml-2.0
WITH += -DPV_WITH_LIBXML2 -DPV_LIBXML2_SONAME='"$(call soname,xml2)"'
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) $(LAZY))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lm
endif

# --- flags -------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual \
	-Wwrite-strings -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	-Wformat=2 -Wundef
HARDEN := -fstack-protector-strong -fPIC
LDHARDEN := -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
OPT := -O2 -g
FORTIFY := -D_FORTIFY_SOURCE=2
ifneq ($(WERROR),)
WARN += -Werror
endif
ifeq ($(VARIANT),asan)
OPT := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FORTIFY :=
endif
ifeq ($(VARIANT),coverage)
OPT := -O0 -g --coverage
FORTIFY :=
endif

CPPFLAGS_ALL := -D_DEFAULT_SOURCE -Iinclude -Isrc -I. $(FORTIFY) $(WITH) \
	-DPV_VERSION='"$(VERSION)"' -DPV_DATADIR='"$(DATADIR)"' $(CPPFLAGS)
CFLAGS_ALL := -std=c11 $(OPT) $(WARN) $(HARDEN) $(PKG_CFLAGS) \
	-include src/base/banned.h -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(filter -fsanitize% --coverage,$(OPT)) $(LDHARDEN) $(LDFLAGS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# --- what there is -----------------------------------------------------------

LIB_DIRS := src/base src/crypto src/firmware src/chip src/link src/boot \
	src/license src/ledger src/package src/image src/push \
	formats hsm
APP_DIRS := device sim cmd
srcs = $(sort $(wildcard $(addsuffix /*.c,$(1))))
objs = $(patsubst %.c,$(B)/%.o,$(1))

LIB_SRC := $(call srcs,$(LIB_DIRS))
APP_SRC := $(call srcs,$(APP_DIRS))
DEV_SRC := $(call srcs,device) src/base/buf.c
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_SRC := $(sort $(wildcard bench/*.c))
PRELOAD_SRC := $(sort $(wildcard tests/preload/*.c))
HEADERS := $(sort $(wildcard include/provisor/*.h) \
	$(wildcard $(addsuffix /*.h,$(LIB_DIRS) $(APP_DIRS))))

LIB_A := $(B)/libprovisor.a
LIB_SO := $(B)/libprovisor.so
SONAME := libprovisor.so.0
# The simulator and the device code, for the program and for tests.
SIM_A := $(B)/libpvsim.a
PROGRAM := $(B)/provisor
TESTS := $(patsubst %.c,$(B)/%,$(TEST_SRC))
FUZZ_REPLAY := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
BENCHES := $(patsubst %.c,$(B)/%,$(BENCH_SRC))
PRELOADS := $(patsubst %.c,$(B)/%.so,$(PRELOAD_SRC))
CMOCKA_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

.PHONY: all lib tests help
all: $(PROGRAM) $(LIB_A) $(LIB_SO) $(B)/provisor.pc

help:
	@echo 'all check check-unit check-cli check-layers check-man lint format asan'
	@echo 'ubsan fuzz coverage bench heavy install dist compdb device-check clean'

# --- build -------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# Libraries that come and go change what is built.
.PHONY: FORCE
$(B)/with: FORCE
	@mkdir -p $(@D)
	@echo '$(WITH)' | cmp -s - $@ || echo '$(WITH)' > $@
$(patsubst %.c,$(B)/%.o,$(wildcard src/ledger/postgres*.c src/base/xml.c src/image/cbor.c)): $(B)/with

$(LIB_A): $(call objs,$(LIB_SRC))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(SIM_A): $(call objs,$(call srcs,device sim))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIB_SO): $(call objs,$(LIB_SRC)) src/libprovisor.map
	$(say) LINK $@
	$(Q)$(CC) -shared $(filter-out -pie,$(LDFLAGS_ALL)) -Wl,-soname,$(SONAME) \
	    -Wl,--version-script=src/libprovisor.map -o $@ $(filter %.o,$^) $(PKG_LIBS)

$(PROGRAM): $(call objs,$(call srcs,cmd)) $(SIM_A) $(LIB_A)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# What depends on where things are installed is made again when that changes.
PLACES := $(PREFIX) $(LIBDIR) $(INCLUDEDIR) $(DATADIR) $(VERSION)
.PHONY: FORCE
$(B)/places: FORCE
	@mkdir -p $(@D)
	@echo '$(PLACES)' | cmp -s - $@ || echo '$(PLACES)' > $@
$(B)/cmd/main.o: $(B)/places

$(B)/provisor.pc: src/provisor.pc.in $(B)/places
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	    -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@PKGS@|$(PKGS)|' $< > $@

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(SIM_A) $(LIB_A)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) $(CMOCKA_LIBS)

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/replay.o $(SIM_A) $(LIB_A)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(B)/bench/%: $(B)/bench/%.o $(SIM_A) $(LIB_A)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(B)/tests/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) $(PKG_CFLAGS) -shared -fPIC \
	    -o $@ $< -Wl,--as-needed -ldl $(shell $(PKG_CONFIG) --libs libcrypto)

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
.SECONDARY:

# --- checks ------------------------------------------------------------------

.PHONY: check check-unit check-cli check-layers check-man check-fuzz check-headers
tests: $(TESTS) $(FUZZ_REPLAY) $(PRELOADS)

# Everything, with one closing line 'N passed, N failed'.
check: all tests
	$(Q)scripts/run-tests $(B) unit fuzz cli static

check-unit: tests
	$(Q)scripts/run-tests $(B) unit

check-fuzz: tests
	$(Q)scripts/run-tests $(B) fuzz

# One topic: make check-cli T=t010
check-cli: all $(PRELOADS)
	$(Q)scripts/run-tests $(B) cli $(T)

check-layers:
	$(Q)scripts/check-layers

check-man: $(PROGRAM)
	$(Q)scripts/check-man $(PROGRAM)

# Every header compiles alone.
check-headers:
	$(Q)for h in $(HEADERS); do \
	    echo "#include \"$$h\"" | $(CC) $(CPPFLAGS_ALL) -std=c11 $(WARN) \
		$(PKG_CFLAGS) -Werror -fsyntax-only -x c - || exit 1; done

# Proofs too long for every day.
.PHONY: heavy
heavy: all $(B)/tests/unit/test_load
	$(Q)PV_LOAD='16 200 2000' CMOCKA_MESSAGE_OUTPUT=TAP $(B)/tests/unit/test_load
	$(Q)KILL_ALL=1 scripts/run-tests $(B) cli t440
	$(Q)BUILD=$(abspath $(B)) sh tests/heavy/valgrind.sh

.PHONY: lint format asan ubsan fuzz coverage bench compdb device-check
lint: check-layers check-headers check-man
	$(Q)scripts/lint

format:
	$(Q)git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format -i

# Address and undefined-behaviour sanitizers over every test.
asan ubsan:
	$(Q)$(MAKE) VARIANT=asan check

coverage:
	$(Q)$(MAKE) VARIANT=coverage check
	$(Q)scripts/coverage build/coverage

# libFuzzer, each target for FUZZ_SECONDS.
FUZZ_SECONDS ?= 60
fuzz:
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz $(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC))

bench: all $(BENCHES)
	$(Q)scripts/bench $(B)

compdb:
	$(Q)bear -- $(MAKE) -B all tests

# The device code as firmware: freestanding, and for Cortex-M33 where the
# cross compiler is installed.
DEV_FLAGS := -std=c11 -Os -ffreestanding -Wall -Wextra -Werror -Iinclude -Isrc -I.
ARM_CC ?= arm-none-eabi-gcc
device-check:
	@mkdir -p build/device
	$(Q)for f in $(DEV_SRC); do \
	    $(CC) $(DEV_FLAGS) -c -o build/device/host-$$(basename $$f .c).o $$f || exit 1; done
	@echo 'device: compiles freestanding with $(CC)'
	$(Q)if command -v $(ARM_CC) >/dev/null; then \
	    for f in $(DEV_SRC); do $(ARM_CC) -mcpu=cortex-m33 -mthumb $(DEV_FLAGS) \
		-c -o build/device/arm-$$(basename $$f .c).o $$f || exit 1; done; \
	    echo 'device: Cortex-M33, bytes:'; arm-none-eabi-size build/device/arm-*.o; \
	else echo 'device: $(ARM_CC) is not installed, Cortex-M33 not compiled'; fi

# --- install, dist -----------------------------------------------------------

.PHONY: install dist clean
install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(INCLUDEDIR)/provisor $(DESTDIR)$(DATADIR)/chips/options \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(COMPDIR) \
	    $(DESTDIR)$(UDEVDIR)
	$(INSTALL) -m 755 $(PROGRAM) $(DESTDIR)$(BINDIR)/provisor
	$(INSTALL) -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)/
	$(INSTALL) -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libprovisor.so
	$(INSTALL) -m 644 $(B)/provisor.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	$(INSTALL) -m 644 include/provisor/*.h $(DESTDIR)$(INCLUDEDIR)/provisor/
	$(INSTALL) -m 644 share/chips/*.json $(DESTDIR)$(DATADIR)/chips/
	$(INSTALL) -m 644 share/chips/options/*.json $(DESTDIR)$(DATADIR)/chips/options/
	$(INSTALL) -m 644 man/*.1 $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 644 man/*.5 $(DESTDIR)$(MANDIR)/man5/
	$(INSTALL) -m 644 share/completion/provisor.bash $(DESTDIR)$(COMPDIR)/provisor
	$(INSTALL) -m 644 share/udev/60-provisor.rules $(DESTDIR)$(UDEVDIR)/

dist:
	git archive --prefix=provisor-$(VERSION)/ -o build/provisor-$(VERSION).tar.gz HEAD

clean:
	rm -rf build
