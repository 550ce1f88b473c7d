#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on MCUboot images: everything but the random parts is made
again from the firmware and compared byte for byte; signatures and the steps of
the encryption are left to the openssl program. Shares no code with provisor.

    mcuboot.py IMAGE FIRMWARE [NAME=VALUE...]

    key=PUB.pem ...        signing keys, in order       sha=256|384|512
    decrypt=PRIV.pem       or kw=KEY.bin                pure=1 full=1 clear=1
    hdr=N slot=N align=N max_align=N sectors=N          overwrite=1 confirm=1 pad=1
    st=1 magic=N primary=1 otfdec=1 padsig=1            erased=N base=ADDR
    version=A.B.C+D counter=N flags=N load=N            record=TYPE test=1
    dep=ID:VERSION ... custom=TAG:HEX ...               no_fill=1 vid=HEX cid=HEX
Prints 'same' and exits 0, or says what differs."""
import hashlib
import hmac
import os
import struct
import subprocess
import sys
import tempfile

tmp = tempfile.mkdtemp()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def put(name, data):
    path = os.path.join(tmp, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def need(cond, what):
    if not cond:
        sys.exit("differs: " + what)


def read_hex(path):
    mem, high = {}, 0
    for line in open(path):
        b = bytes.fromhex(line.strip()[1:])
        need(sum(b) & 255 == 0, "checksum of a record")
        if b[3] == 0:
            for i in range(b[0]):
                mem[high + b[1] * 256 + b[2] + i] = b[4 + i]
        elif b[3] == 4:
            high = (b[4] * 256 + b[5]) << 16
    return mem


def parse(argv):
    o = {"key": [], "dep": [], "custom": []}
    for word in argv:
        name, value = word.split("=", 1)
        if isinstance(o.get(name), list):
            o[name].append(value)
        else:
            o[name] = value
    return o


def num(o, name, default=0):
    return int(o[name], 0) if name in o else default


def version(text):
    rest, _, build = text.partition("+")
    a, b, c = (list(map(int, rest.split("."))) + [0, 0])[:3]
    return struct.pack("<BBHI", a, b, c, int(build or 0)), (a, b, c)


def tlv(kind, data):
    return struct.pack("<HH", kind, len(data)) + data


def ctr(key, data):
    name = "-aes-%d-ctr" % (len(key) * 8)
    return openssl("enc", name, "-nopad", "-K", key.hex(), "-iv", "0" * 32, data=data)


def hkdf(bits, z, n):
    salt = "00" * (bits // 8)
    return openssl("kdf", "-binary", "-keylen", str(n), "-kdfopt", "digest:SHA%d" % bits,
                   "-kdfopt", "hexkey:" + z.hex(), "-kdfopt", "hexsalt:" + salt,
                   "-kdfopt", "info:MCUBoot_ECIES_v1", "HKDF")


SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
SPKI_X25519 = bytes.fromhex("302a300506032b656e032100")


def open_key(kind, body, o):
    """The image key of an entry, by the steps of the format description."""
    if kind == 0x31:
        kek = open(o["kw"], "rb").read()
        name = "-id-aes%d-wrap" % (len(kek) * 8)
        return openssl("enc", "-d", name, "-K", kek.hex(), "-iv", "A6" * 8, data=body)
    if kind == 0x30:
        return openssl("pkeyutl", "-decrypt", "-inkey", o["decrypt"], "-pkeyopt",
                       "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
                       "-pkeyopt", "rsa_mgf1_md:sha256", data=body)
    pub, bits = (65, 256) if kind == 0x32 else (32, 512 if kind == 0x34 else 256)
    spki = (SPKI_P256 if pub == 65 else SPKI_X25519) + body[:pub]
    z = openssl("pkeyutl", "-derive", "-inkey", o["decrypt"], "-peerkey",
                put("peer.der", spki), "-peerform", "DER")
    mac, sealed = body[pub:pub + bits // 8], body[pub + bits // 8:]
    okm = hkdf(bits, z, len(sealed) + bits // 8)
    want = hmac.new(okm[len(sealed):], sealed, "sha%d" % bits).digest()
    need(want == mac, "MAC of the image key")
    return ctr(okm[:len(sealed)], sealed)


def public(pem):
    text = openssl("pkey", "-pubin", "-in", pem, "-noout", "-text").decode()
    if "Modulus" in text:
        der = openssl("rsa", "-pubin", "-in", pem, "-RSAPublicKey_out", "-outform", "DER")
        return "rsa", der, 0x23 if "3072" in text else 0x20
    der = openssl("pkey", "-pubin", "-in", pem, "-outform", "DER")
    if "ED25519" in text:
        return "ed", der, 0x24
    return "ec", der, 0x22


def check_sig(family, pem, digest, message, sig, o):
    args = ["pkeyutl", "-verify", "-pubin", "-inkey", pem, "-sigfile"]
    if family == "ec":
        if "st" in o and ("padsig" in o or num(o, "magic") == 0x73AB1024):
            need(len(sig) == 72 and sig[:5] == bytes.fromhex("3046022100") and
                 sig[37:40] == bytes.fromhex("022100"), "ST's form of a signature")
            r, s = sig[5:37], sig[40:72]
            one = lambda v: tlv_der(2, v.lstrip(b"\0") if v.lstrip(b"\0")[:1] < b"\x80"
                                    else b"\0" + v.lstrip(b"\0"))
            sig = tlv_der(0x30, one(r) + one(s))
        else:
            need("padsig" in o or len(sig) == sig[1] + 2, "length of a signature")
            sig = sig[:sig[1] + 2]
        openssl(*args, put("sig", sig), "-in", put("d", digest))
    elif family == "ed":
        data = message if "pure" in o else digest
        openssl(*args, put("sig", sig), "-rawin", "-in", put("d", data))
    else:
        openssl(*args, put("sig", sig), "-in", put("d", digest), "-pkeyopt", "digest:sha256",
                "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:32",
                "-pkeyopt", "rsa_mgf1_md:sha256")


def tlv_der(tag, data):
    return bytes([tag, len(data)]) + data


def cbor_record(o, bits, signer):
    text = lambda s: bytes([0x60 + len(s)]) + s.encode()
    blob = lambda b: b"\x58" + bytes([len(b)]) + b
    _, (a, b, c) = version(o["version"])
    return (b"\xa5\x01" + text(o["record"]) + b"\x04" + text("%d.%d.%d" % (a, b, c)) +
            b"\x05" + blob(signer) + b"\x06" + text("SHA%d" % bits) + b"\x02" +
            blob(bytes(bits // 8)))


def protected(o, bits, signer, fake):
    out = b""
    if "counter" in o:
        out += tlv(0x50, struct.pack("<I", num(o, "counter")))
    if fake:
        out += tlv(0x60, bytes(fake - 4))
    if "record" in o:
        out += tlv(0x60, cbor_record(o, bits, signer))
    for d in o["dep"]:
        ident, v = d.split(":")
        out += tlv(0x40, struct.pack("<B3x", int(ident)) + version(v)[0])
    for name, kind in (("vid", 0x74), ("cid", 0x75)):
        if name in o:
            out += tlv(kind, bytes.fromhex(o[name]))
    for c in o["custom"]:
        tag, v = c.split(":")
        out += tlv(int(tag, 0), bytes.fromhex(v))
    if "test" in o:
        out += tlv(0x54a0, b"provisor-test")
    return struct.pack("<HH", 0x6908, len(out) + 4) + out if out else b""


def up(n, a):
    return (n + a - 1) // a * a


def trailer(o, enc_len):
    """Bytes of the trailer, and where image_ok is from its end (0: nowhere)."""
    align = num(o, "align", 8)
    a = 16 if "st" in o else num(o, "max_align", max(8, align))
    m = up(16, a)
    magic = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
    if a != 8 and "st" not in o:
        magic = struct.pack("<H", a) + bytes.fromhex("2de15d29410b8d77679c110f1f8a")
    if "st" in o and num(o, "magic", 0) == 0x73AB1024:
        return 32, 0, magic
    if "primary" in o:
        return 16, 0, magic
    if "overwrite" in o:
        return 2 * a + m, 0, magic
    size = num(o, "sectors", 128) * 3 * align + 4 * a + m
    if enc_len:
        size += 2 * (up(enc_len, a) if "enctlv" in o else up(16, a))
    return size, m + a, magic


def main():
    path, firmware = sys.argv[1:3]
    o = parse(sys.argv[3:])
    hdr, slot, bits = num(o, "hdr", 32), num(o, "slot"), num(o, "sha", 256)
    erased = num(o, "erased", 0xff)
    mem = None
    if path.endswith(".hex"):
        mem = read_hex(path)
        base = num(o, "base")
        need(min(mem) == base, "address 0x%x" % min(mem))
        file = bytes(mem.get(base + i, erased) for i in range(max(mem) - base + 1))
    else:
        file = open(path, "rb").read()
    plain = open(firmware, "rb").read()

    # Take apart what cannot be foretold.
    img_size, = struct.unpack_from("<I", file, 12)
    prot_len, = struct.unpack_from("<H", file, 10)
    body = file[hdr:hdr + img_size]
    at = hdr + img_size + prot_len
    magic, total = struct.unpack_from("<HH", file, at)
    need(magic == 0x6907, "info of the unprotected area")
    entries, p = [], at + 4
    while p < at + total:
        kind, n = struct.unpack_from("<HH", file, p)
        entries.append((kind, file[p + 4:p + 4 + n]))
        p += 4 + n
    need(p == at + total, "end of the unprotected area")
    enc = [e for e in entries if 0x30 <= e[0] <= 0x34]
    sigs = [e[1] for e in entries if e[0] in (0x20, 0x22, 0x23, 0x24)]
    keys = [public(k) for k in o["key"]]
    hashed = lambda der: hashlib.new("sha%d" % bits, der).digest()
    signer = hashed(keys[0][1]) if keys else bytes(bits // 8)
    size, ok_at, trailer_magic = trailer(o, len(enc[0][1]) if enc else 0)

    # Payload.
    if enc:
        plain += bytes(-len(plain) % 16)
    fake = 0
    if num(o, "magic", 0) == 0x73AB1024 and enc:
        free = slot - hdr - len(plain) - len(protected(o, bits, signer, 0)) - total - 32
        rest = free % 16
        if "no_fill" not in o:
            rest += 16 if rest < 5 else 0
            fake = rest
        plain += bytes(free - rest)
    cipher = body
    if enc and "clear" not in o:
        key = open_key(*enc[0], o)
        need(len(key) in (16, 32), "length of the image key")
        flip = lambda d: b"".join(d[i:i + 16][::-1] for i in range(0, len(d), 16))
        body = flip(ctr(key, flip(body))) if "otfdec" in o else ctr(key, body)
    elif enc:
        key = open_key(*enc[0], o)
    need(body == plain, "payload")

    # Header and protected area.
    flags = num(o, "flags")
    late = 0
    if enc and "otfdec" in o:
        flags |= 8
    elif enc:
        bit = 8 if len(key) == 32 else 4
        if "primary" in o:
            late = bit
        else:
            flags |= bit
    if "primary" in o:
        flags |= 2
    prot = protected(o, bits, signer, fake)

    def header(f):
        h = struct.pack("<IIHHII", num(o, "magic", 0x96f3b83d), num(o, "load"), hdr,
                        len(prot), len(plain), f) + version(o["version"])[0] + bytes(4)
        return h + bytes([num(o, "fill", erased)]) * (hdr - 32)

    message = header(flags) + (cipher if "otfdec" in o else plain) + prot
    digest = hashed(message)

    # Unprotected area.
    want = []
    if "otfdec" in o:
        want += enc
    want.append(({256: 0x10, 384: 0x11, 512: 0x12}[bits], digest))
    if "pure" in o:
        want.append((0x25, b"\1"))
    need(len(sigs) == len(keys), "number of signatures")
    for pem, (family, der, kind), sig in zip(o["key"], keys, sigs):
        want.append((2, der) if "full" in o else (1, hashed(der)))
        want.append((kind, sig))
        check_sig(family, pem, digest, message, sig, o)
    if "otfdec" not in o:
        want += enc
    need(entries == want, "entries of the unprotected area")
    made = header(flags | late) + cipher + prot + file[at:at + total]

    # Trailer.
    if "pad" in o or "confirm" in o:
        tail = bytearray([erased]) * size
        tail[-16:] = trailer_magic
        if "confirm" in o and ok_at:
            tail[-ok_at] = 1
        need(len(made) + size <= slot, "size of image and trailer")
        if mem and "st" in o:
            need(all(base + slot - 1 - i in mem for i in range(size)), "ST's trailer in HEX")
        made += bytes([erased]) * (slot - size - len(made)) + bytes(tail)
    need(made == file, "the file as a whole")
    print("same")


try:
    main()
except subprocess.CalledProcessError as err:
    sys.exit("openssl refuses: %s\n%s%s" % (" ".join(err.cmd), err.stdout.decode(), err.stderr.decode()))
finally:
    subprocess.run(["rm", "-rf", tmp])
