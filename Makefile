# stsd: make, make check, make demo, make install. See README.md.
PREFIX        ?= /usr/local
SYSCONFDIR    ?= /etc
BINDIR        ?= $(PREFIX)/bin
SBINDIR       ?= $(PREFIX)/sbin
LIBEXECDIR    ?= $(PREFIX)/libexec
MANDIR        ?= $(PREFIX)/share/man
UNITDIR       ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR   ?= $(PREFIX)/lib/sysusers.d
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
CC            ?= cc
CLANG         ?= clang
PKG_CONFIG    ?= pkg-config
CFLAGS        ?= -O2 -g
B             ?= build
DEB_REVISION  ?= 1

VERSION  = 0.1.0

# What is needed to build, for a package, for the demonstration, for all tests, for the long ones
# and for whole machines, as Debian packages.
DEPS       = gcc make pkg-config libc6-dev libevent-dev libc-ares-dev libcurl4-openssl-dev \
             libssl-dev liblmdb-dev libidn2-dev ca-certificates
DEPS_DEB   = build-essential debhelper dh-apparmor
DEPS_DEMO  = postfix python3 iproute2 util-linux
DEPS_CHECK = $(DEPS_DEMO) openssl nsd unbound nginx-light procps binutils clang clang-format \
             clang-tidy libclang-rt-dev mandoc shellcheck debootstrap ldnsutils \
             python3-jsonschema bash-completion valgrind systemd
DEPS_LONG  = $(DEPS_CHECK) libc6-dbg
DEPS_PACKAGES = $(DEPS_CHECK) buildah podman runc qemu-user-static prometheus

WARN = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wswitch-enum -Wformat=2 -Wvla -Wundef
# Each hardening flag is used where the compiler knows it.
try  = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
HARDEN  := $(call try,-fstack-protector-strong) $(call try,-fstack-clash-protection) \
           $(call try,-fcf-protection=full) $(call try,-ftrivial-auto-var-init=zero)
ifeq ($(findstring -O0,$(CFLAGS))$(SAN),)
HARDEN  += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
INCLUDE  = -iquote lib -iquote lib/io -iquote postfix -iquote daemon -iquote daemon/query
DEFINES  = -D_GNU_SOURCE -DSTSD_VERSION='"$(VERSION)"' \
           -DSTSD_CONFIG='"$(SYSCONFDIR)/stsd/stsd.conf"' \
           -DSTSD_LIBEXEC='"$(LIBEXECDIR)/stsd"'
LIBS_MIN = libevent_core lmdb
LIBS_ALL = $(LIBS_MIN) libcares libcurl openssl libidn2
ALL_CFLAGS = -std=c17 -fPIE $(WARN) $(HARDEN) $(INCLUDE) $(DEFINES) \
             -ffile-prefix-map=$(CURDIR)/= -MMD -MP $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
ifeq ($(WERROR),1)
ALL_CFLAGS += -Werror
endif
ifdef SAN # make SAN=address,undefined check
B          := build/$(SAN)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
libs_min = $(shell $(PKG_CONFIG) --libs $(LIBS_MIN))
libs_all = $(shell $(PKG_CONFIG) --libs $(LIBS_ALL))

objs   = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1))))
MAINS  = daemon/stsd.c daemon/stsd-resolver.c daemon/stsd-query.c
CORE   = $(call objs,lib/*.c)
IO     = $(call objs,lib/io/*.c)
PF     = $(call objs,postfix/*.c)
DAEMON = $(filter-out $(call objs,$(MAINS)),$(call objs,daemon/*.c daemon/query/*.c))
ARCHIVES = $(B)/libstsd.a $(B)/libpostfix.a $(B)/libsts-io.a $(B)/libsts-core.a
PURE     = $(B)/libstsd.a $(B)/libpostfix.a $(B)/libsts-core.a
PROGRAMS = $(B)/stsd $(B)/stsd-query $(B)/stsd-resolver

UNIT = $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
IOT  = $(patsubst tests/io/%.c,$(B)/tests/io/%,$(sort $(wildcard tests/io/test_*.c)))
FUZZ_MAIN = $(B)/tests/fuzz/replay.o
FUZZ = $(patsubst tests/fuzz/fuzz_%.c,$(B)/tests/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

all: $(PROGRAMS)

$(B)/libsts-core.a: $(CORE)
$(B)/libsts-io.a: $(IO)
$(B)/libpostfix.a: $(PF)
$(B)/libstsd.a: $(DAEMON)
$(B)/%.a:
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $^

# Who answers Postfix is linked with two libraries, and nothing of the Internet.
$(B)/stsd: $(B)/daemon/stsd.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_min)
$(B)/stsd-resolver: $(B)/daemon/stsd-resolver.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_all)
$(B)/stsd-query: $(B)/daemon/stsd-query.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_all)

# Unit tests, scenarios and fuzz targets link no library: that is how we know that the
# rules are pure.
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(PURE)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(PURE)
$(B)/tests/sim/sim: $(B)/tests/sim/sim.o $(PURE)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(PURE)
$(B)/tests/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(PURE) $(B)/libsts-io.a
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^
$(B)/tests/io/%: $(B)/tests/io/%.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_all)

# What fails under it (tests/fault): each .wrap names the calls that come to the .c beside it.
FAULT_UNIT = $(patsubst $(B)/tests/unit/%,$(B)/tests/fault/unit/%,$(UNIT))
FAULT_PURE = $(B)/tests/fault/fault.o $(B)/tests/fault/memory.o
FAULT_IO   = $(patsubst %,$(B)/tests/fault/%.o,memory calls store disk)
FAULT_PAGE = $(patsubst %,$(B)/tests/fault/%.o,page clock)
FAULT_BIN  = $(patsubst %,$(B)/tests/fault/bin/%,stsd stsd-resolver stsd-query)
FAULT      = $(patsubst %,$(B)/tests/fault/test_%,memory sim cache site) $(FAULT_UNIT) $(FAULT_BIN)
wraps      = $(patsubst %,-Wl$(comma)@tests/fault/%.wrap,$(1))
comma     := ,

# A unit test's own allocations do not fail, only those of what it tests.
$(B)/tests/fault/unit/%.o: $(B)/tests/unit/%.o tests/fault/memory.wrap
	@mkdir -p $(@D)
	objcopy $$(sed 's/--wrap=\(.*\)/--redefine-sym \1=__real_\1/' tests/fault/memory.wrap) \
	    --redefine-sym abort=fault_give_up $< $@
$(B)/tests/fault/unit/%: $(B)/tests/fault/unit/%.o $(B)/tests/fault/unit.o $(FAULT_PURE) $(PURE)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(call wraps,memory unit) -o $@ $^
$(B)/tests/fault/test_memory $(B)/tests/fault/test_sim: $(B)/tests/fault/test_%: \
    $(B)/tests/fault/test_%.o $(FAULT_PURE) $(PURE)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(call wraps,memory) -o $@ $^
$(B)/tests/fault/test_cache: $(B)/tests/fault/test_cache.o $(B)/tests/fault/fault.o \
    $(FAULT_IO) $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(call wraps,memory calls store) -o $@ $^ $(libs_min)
$(B)/tests/fault/test_site: $(B)/tests/fault/test_site.o \
    $(patsubst %,$(B)/tests/fault/%.o,fault memory calls) $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(call wraps,memory calls) -Wl,--wrap=file_read \
	    -o $@ $^ $(libs_min)
$(B)/tests/fault/bin/%: $(B)/daemon/%.o $(FAULT_PAGE) $(FAULT_IO) $(ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(call wraps,memory calls store) -o $@ $< \
	    $(FAULT_PAGE) $(FAULT_IO) $(ARCHIVES) $(libs_all)

$(B)/tests/e2e/stsd: $(B)/daemon/stsd.o $(B)/tests/e2e/memcheck.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(libs_min)

# What measures (tests/bench).
BENCHES = $(patsubst %,$(B)/tests/bench/%,load echo fill world spread fetch)
$(B)/tests/bench/load $(B)/tests/bench/echo: $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $<
# What callgrind counts depends on the compiler and its flags.
COUNT = $(B)/tests/bench/count
$(COUNT).o: DEFINES += -DBUILT='"$(CFLAGS)$(if $(SAN), SAN=$(SAN))"'
$(COUNT): $(COUNT).o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_min)
$(B)/tests/bench/spread: $(B)/tests/bench/spread.o $(PURE)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(PURE)
$(B)/tests/bench/world $(B)/tests/bench/fetch: $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --libs openssl)
$(B)/tests/bench/fill: $(B)/tests/bench/fill.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVES) $(libs_min)

# Where things are installed is built in: other places, other objects.
PATHS = $(SYSCONFDIR) $(LIBEXECDIR) $(VERSION)
$(B)/paths: force
	@mkdir -p $(@D)
	@echo '$(PATHS)' | cmp -s - $@ || echo '$(PATHS)' >$@
$(call objs,daemon/*.c daemon/query/*.c): $(B)/paths

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# What each kind of test is: tests/README.md. STAGES="unit sim" runs some of them.
$(B)/tests/%.o: INCLUDE += -iquote tests/unit
tests: $(UNIT) $(IOT) $(FUZZ) $(B)/tests/sim/sim $(BENCHES) $(COUNT)
check: all tests $(FAULT)
	B=$(B) V=$(V) sh tests/run $(STAGES)
check-long: all $(FAULT) $(B)/tests/e2e/stsd fuzzers memory
	B=$(B) V=$(V) LONG=1 sh tests/run fault fuzz memory memcheck
check-packages: all # as root: each way to install it, in a machine of its own
	B=$(B) V=$(V) sh tests/packages/run $(STAGES)
fault: all $(FAULT)
	B=$(B) V=$(V) sh tests/run fault
unit sim replay io: all tests
	B=$(B) V=$(V) sh tests/run $@
e2e: all $(FAULT_BIN) # some cases set the clock
	B=$(B) V=$(V) sh tests/run $@
lint: $(B)/libsts-core.a $(B)/libpostfix.a
	B=$(B) V=$(V) sh tests/run lint
demo: all
	B=$(B) python3 tests/e2e/demo.py
golden: $(B)/tests/unit/test_query_golden # writes what each finding looks like anew
	GOLDEN=write $<
bench: all $(BENCHES) # AGAINST=inet:127.0.0.1:PORT: another server beside; BENCH_JSON=FILE
	B=$(B) python3 tests/bench/bench.py $(if $(AGAINST),--against $(AGAINST))
count: all $(COUNT) # instructions of answers and journeys, by callgrind
	B=$(B) V=$(V) sh tests/run count
count-write: all $(COUNT)
	B=$(B) python3 tests/bench/count.py --write
mutate: # which broken rule would no test notice?
	python3 tests/mutate.py

SRC = $(wildcard $(addsuffix /*.[ch],lib lib/io postfix daemon daemon/query tests/*))
format: ; clang-format -i $(SRC)

# The targets with libFuzzer in place of replay.c; and what links no library, once more with
# MemorySanitizer, which is right only where it sees all code. What HARDEN presets, it would
# not miss.
FUZZERS = $(MAKE) CC=$(CLANG) B=build/fuzz SAN=address,undefined HARDEN= FUZZ_MAIN= \
          CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" LDFLAGS=-fsanitize=fuzzer
fuzzers: ; $(FUZZERS) targets
fuzz-%: # make fuzz-policy FUZZFLAGS=-max_total_time=60
	$(FUZZERS) build/fuzz/tests/fuzz/$*
	@mkdir -p build/fuzz/found/$*
	build/fuzz/tests/fuzz/$* $(FUZZFLAGS) build/fuzz/found/$* tests/fuzz/corpus/$*
memory:
	$(MAKE) CC=$(CLANG) B=build/memory SAN=memory HARDEN= CFLAGS="-O1 -g" pure-tests
targets: $(FUZZ)
pure-tests: $(UNIT) $(FUZZ) $(B)/tests/sim/sim

# apt-get install --no-install-recommends $(make -s deps)
deps: ; @echo $(DEPS)
deps-deb: ; @echo $(DEPS) $(DEPS_DEB)
deps-demo: ; @echo $(DEPS_DEMO)
deps-check: ; @echo $(DEPS_CHECK)
deps-long: ; @echo $(DEPS_LONG)
deps-packages: ; @echo $(DEPS_PACKAGES)

MONITORING = $(addprefix docker/monitoring/,dashboard.json alerts.yml prometheus.yml)

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)/stsd \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(SYSCONFDIR)/stsd $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
	    $(DESTDIR)$(COMPLETIONDIR) $(DESTDIR)$(PREFIX)/share/stsd/monitoring
	install -m 755 $(B)/stsd $(DESTDIR)$(SBINDIR)/stsd
	install -m 755 $(B)/stsd-query $(DESTDIR)$(BINDIR)/stsd-query
	install -m 755 $(B)/stsd-resolver $(DESTDIR)$(LIBEXECDIR)/stsd/stsd-resolver
	install -m 644 daemon/stsd.8 $(DESTDIR)$(MANDIR)/man8/stsd.8
	install -m 644 daemon/stsd.conf.5 $(DESTDIR)$(MANDIR)/man5/stsd.conf.5
	install -m 644 daemon/stsd-query.1 $(DESTDIR)$(MANDIR)/man1/stsd-query.1
	[ -e $(DESTDIR)$(SYSCONFDIR)/stsd/stsd.conf ] || \
	    install -m 644 daemon/stsd.conf $(DESTDIR)$(SYSCONFDIR)/stsd/stsd.conf
	sed 's|@SBINDIR@|$(SBINDIR)|' daemon/stsd.service.in >$(DESTDIR)$(UNITDIR)/stsd.service
	install -m 644 daemon/stsd.socket daemon/stsd-postfix.socket $(DESTDIR)$(UNITDIR)/
	install -m 644 daemon/stsd.sysusers $(DESTDIR)$(SYSUSERSDIR)/stsd.conf
	install -m 644 daemon/stsd-query.bash $(DESTDIR)$(COMPLETIONDIR)/stsd-query
	install -m 644 daemon/stsd-query.schema.json $(DESTDIR)$(PREFIX)/share/stsd/
	install -m 644 $(MONITORING) $(DESTDIR)$(PREFIX)/share/stsd/monitoring/
	[ -n "$(DESTDIR)" ] || ! command -v systemd-sysusers >/dev/null || systemd-sysusers
deb: # a Debian package of this, for the release at hand, in build/deb
	sh docker/debian/build $(B)/deb $(VERSION)-$(DEB_REVISION)
# The configuration and the cache stay: they are the administrator's.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/stsd $(DESTDIR)$(BINDIR)/stsd-query \
	    $(DESTDIR)$(LIBEXECDIR)/stsd/stsd-resolver $(DESTDIR)$(MANDIR)/man8/stsd.8 \
	    $(DESTDIR)$(MANDIR)/man5/stsd.conf.5 $(DESTDIR)$(MANDIR)/man1/stsd-query.1 \
	    $(DESTDIR)$(UNITDIR)/stsd.service $(DESTDIR)$(UNITDIR)/stsd.socket \
	    $(DESTDIR)$(UNITDIR)/stsd-postfix.socket $(DESTDIR)$(SYSUSERSDIR)/stsd.conf \
	    $(DESTDIR)$(COMPLETIONDIR)/stsd-query \
	    $(DESTDIR)$(PREFIX)/share/stsd/stsd-query.schema.json \
	    $(patsubst docker/%,$(DESTDIR)$(PREFIX)/share/stsd/%,$(MONITORING))
	rmdir $(DESTDIR)$(LIBEXECDIR)/stsd $(DESTDIR)$(PREFIX)/share/stsd/monitoring \
	    $(DESTDIR)$(PREFIX)/share/stsd 2>/dev/null || true

clean: ; rm -rf build

force:
.PHONY: force all tests check check-long check-packages fault unit sim replay io e2e \
        lint demo golden mutate fuzzers memory targets pure-tests deps deps-demo \
        deps-check deps-long deps-deb install deb uninstall format clean bench count count-write \
        deps-packages
.SECONDARY:
.DELETE_ON_ERROR:
ifneq ($(V),1)
.SILENT:
say = @printf '  %-7s %s\n' $(1) $@;
endif
-include $(shell find $(B) \( -path "$(B)/debian1*" -o -path $(B)/containers \) -prune -o -name '*.d' -type f -print 2>/dev/null)
