#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A host for the virtual STM32MP that shares no code with provisor.

Over a UART it follows the documents literally; cryptography is that of
python3-cryptography.

usage: stm32mp.py blob CERT CHIP OUT [--secrets FILE] [--rma N] [--flip N]
                  [--fields TEXT] [--minimum N] [--size N] [--table FILE]
       stm32mp.py raw TTY HEX[:N]...       send, print N answer bytes in hex
       stm32mp.py load TTY IMAGE           sync, download, start; expect ACK
       stm32mp.py ssp TTY IMAGE MAKER...   the three boots; MAKER CERT BLOB
                                           makes the blob
       stm32mp.py uboot TTY IMAGE FIP      ROM and TF-A, until U-Boot is there
       stm32mp.py flash TTY LAYOUT         the layout and its files, to U-Boot
       stm32mp.py read TTY ID SIZE OUT     read a partition
       stm32mp.py burn TTY FILE            an OTP structure
"""
import argparse
import hashlib
import os
import select
import struct
import subprocess
import sys
import termios
import time

ACK, NACK, ABORT = 0x79, 0x1F, 0x5F


class Line:
    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        t = termios.tcgetattr(self.fd)
        t[0] = t[1] = t[3] = 0
        t[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        t[4] = t[5] = termios.B115200
        termios.tcsetattr(self.fd, termios.TCSANOW, t)

    def send(self, data):
        os.write(self.fd, bytes(data))

    def take(self, n, seconds=2.0):
        out = b""
        end = time.monotonic() + seconds
        while len(out) < n:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                break
            out += os.read(self.fd, n - len(out))
        return out

    def quiet(self, seconds=0.15):
        return self.take(4096, seconds)

    def ack(self, what):
        got = self.take(1)
        if got != bytes([ACK]):
            sys.exit("%s: %s" % (what, got.hex() or "silence"))

    def command(self, opcode):
        """TF-A and U-Boot NACK once when they take the line."""
        for _ in range(3):
            self.quiet(0.001)
            self.send([opcode, opcode ^ 0xFF])
            got = self.take(1)
            if got == bytes([ACK]):
                return
            if got != bytes([NACK]):
                break
        sys.exit("command %02x: %s" % (opcode, got.hex() or "silence"))

    def frame(self, data, what):
        x = 0
        for b in data:
            x ^= b
        self.send(bytes(data) + bytes([x]))
        self.ack(what)

    def sync(self):
        self.send([0x7F])
        self.ack("sync")

    def phase(self):
        self.command(0x03)
        n = self.take(1)[0]
        body = self.take(n + 1)
        self.ack("end of phase")
        return body[0], struct.unpack("<I", body[1:5])[0], body[6:]

    def download(self, data):
        for i in range(0, len(data), 256):
            part = data[i:i + 256]
            self.command(0x31)
            self.frame(struct.pack(">I", i // 256), "packet %d" % (i // 256))
            self.frame(bytes([len(part) - 1]) + part, "data %d" % (i // 256))

    def start(self, address=0xFFFFFFFF):
        self.command(0x21)
        self.frame(struct.pack(">I", address), "start")

    def certificate(self):
        self.command(0x12)
        self.frame(b"\xf3" + bytes(4), "partition")
        self.send([0x88, 0x77])
        self.ack("size")
        cert = self.take(136)
        self.quiet(0.05)  # one more ACK, from 2.4 on
        return cert


def load(line, image):
    line.sync()
    phase = line.phase()
    if phase[0] != 1:
        sys.exit("the ROM asks for phase %02x" % phase[0])
    with open(image, "rb") as f:
        line.download(f.read())
    line.start()


# --- license and payload -------------------------------------------------------

def gcm(key, iv, aad, text):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    both = AESGCM(key).encrypt(iv, text, aad)
    return both[:-16], both[-16:]


def public(point):
    from cryptography.hazmat.primitives.asymmetric import ec
    return ec.EllipticCurvePublicNumbers(
        int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big"),
        ec.SECP256R1()).public_key()


def make_blob(cert, chip, secrets, rma, fields, minimum, size, key_part):
    from cryptography.hazmat.primitives.asymmetric import ec
    f = dict(w.split("=") for w in fields.split(",") if w)
    key, iv = b"AES_KEY_TEST_001", bytes(range(0x10, 0x20))
    # license
    eph = ec.generate_private_key(ec.SECP256R1())
    n = eph.public_key().public_numbers()
    pub = n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")
    z = eph.exchange(ec.ECDH(), public(cert[8:72]))
    info = pub if f.get("shared_info") == "ephemeral" else b""
    kdf = b"".join(hashlib.sha256(z + struct.pack(">I", i) + info).digest()
                   for i in (1, 2))
    halves = kdf[:16], kdf[16:32]
    high = f.get("key_half") == "high"
    head = b"SSP." + struct.pack("<III", 0, 1, minimum) + bytes(8) + pub
    data, tag = gcm(halves[high], halves[not high]
                    [:int(f.get("gcm_iv_len", 16))], head + kdf[32:], iv + key)
    license = head + data + tag
    # payload
    plain = struct.pack("<I", rma) + secrets
    if size is None:
        size = len(plain)
    head = b"SSPP" + struct.pack("<I", 1) + key_part + struct.pack("<I", size)
    data, tag = gcm(key, iv[:int(f.get("payload_iv_len", 16))], head,
                    plain[:size])
    payload = head + tag + data.ljust(152, b"\x00")
    assert len(license) == 136 and len(payload) == (244 if chip == 15 else 212)
    return license + payload


# The generator of P-256 stands for the OEM's key.
G = bytes.fromhex(
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


def key_part(chip, table):
    if table:
        with open(table, "rb") as f:
            return f.read()
    if chip == 15:
        return G
    one = hashlib.sha256(struct.pack("<I", 1) + G).digest()
    return hashlib.sha256(one * 8).digest()


def do_blob(argv):
    p = argparse.ArgumentParser()
    p.add_argument("cert")
    p.add_argument("chip", type=int, choices=[15, 13])
    p.add_argument("out")
    p.add_argument("--secrets")
    p.add_argument("--rma", type=lambda v: int(v, 0), default=0x07650312)
    p.add_argument("--flip", type=int)
    p.add_argument("--fields", default="")
    p.add_argument("--minimum", type=int, default=0)
    p.add_argument("--size", type=int)
    p.add_argument("--table")
    a = p.parse_args(argv)
    secrets = bytes(range(148))
    if a.secrets:
        with open(a.secrets, "rb") as f:
            secrets = f.read()
    with open(a.cert, "rb") as f:
        cert = f.read()
    blob = bytearray(make_blob(cert, a.chip, secrets, a.rma, a.fields,
                               a.minimum, a.size, key_part(a.chip, a.table)))
    if a.flip is not None:
        blob[a.flip] ^= 1
    with open(a.out, "wb") as f:
        f.write(blob)


# --- sessions -------------------------------------------------------------------

def do_raw(argv):
    line = Line(argv[0])
    for word in argv[1:]:
        data, _, n = word.partition(":")
        if data:
            line.send(bytes.fromhex(data))
        got = line.take(int(n)) if n else line.quiet()
        print(got.hex() or "-")


def do_ssp(argv):
    path, image, maker = argv[0], argv[1], argv[2:]
    line = Line(path)
    load(line, image)
    phase = line.phase()
    if phase[0] == 0xFF:
        print("boot 1: %s" % phase[2].decode().strip())
        time.sleep(0.05)
        load(line, image)
        phase = line.phase()
    if phase[0] != 0xF3:
        sys.exit("boot 2: phase %02x %s" % (phase[0], phase[2].decode()))
    with open(path + ".cert", "wb") as f:
        f.write(line.certificate())
    subprocess.run(maker + [path + ".cert", path + ".blob"], check=True)
    with open(path + ".blob", "rb") as f:
        line.download(f.read())
    line.start()
    phase = line.phase()
    print("boot 2: phase %02x %s" % (phase[0], phase[2].decode().strip()))
    time.sleep(0.05)
    load(line, image)
    rest = line.quiet(0.3)
    if not rest:
        print("boot 3: silence")
        return
    phase = line.phase()
    sys.exit("boot 3: phase %02x %s" % (phase[0], phase[2].decode().strip()))


def do_uboot(argv):
    line = Line(argv[0])
    load(line, argv[1])
    phase = line.phase()
    if phase[0] != 3:
        sys.exit("TF-A asks for phase %02x" % phase[0])
    with open(argv[2], "rb") as f:
        line.download(f.read())
    line.start()
    print("U-Boot asks for phase %02x" % line.phase()[0])


def do_flash(argv):
    line = Line(argv[0])
    with open(argv[1], "rb") as f:
        text = f.read()
    line.download(text)
    line.start()
    files = {}
    for row in text.decode().splitlines():
        column = [c for c in row.split("\t") if c]
        if len(column) > 6 and not row.startswith("#"):
            files[int(column[1], 0)] = column[6]
    while True:
        phase = line.phase()
        print("phase %02x %s" % (phase[0], phase[2].decode()))
        if phase[0] == 0xFF:
            sys.exit(1)
        if phase[0] == 0xFE:
            break
        name = os.path.join(os.path.dirname(argv[1]), files[phase[0]])
        with open(name, "rb") as f:
            line.download(f.read())
        line.start()
    if len(argv) > 2 and argv[2] == "stay":
        return
    line.start()


def do_read(argv):
    line = Line(argv[0])
    part, size, out = int(argv[1], 0), int(argv[2], 0), b""
    for at in range(0, size, 256):
        n = min(256, size - at)
        line.command(0x12)
        line.frame(bytes([part]) + struct.pack(">I", at), "offset")
        line.send([n - 1, 0x100 - n])
        line.ack("size")
        out += line.take(n)
    with open(argv[3], "wb") as f:
        f.write(out)


def do_burn(argv):
    line = Line(argv[0])
    with open(argv[1], "rb") as f:
        data = f.read()
    for i in range(0, len(data), 256):
        part = data[i:i + 256]
        line.command(0x31)
        line.frame(struct.pack(">I", 0xF2 << 24 | i // 256), "packet")
        line.frame(bytes([len(part) - 1]) + part, "data")
    line.start(0xF2)


VERBS = {"uboot": do_uboot, "flash": do_flash, "read": do_read,
         "burn": do_burn}


def main():
    verb, argv = sys.argv[1], sys.argv[2:]
    if verb == "blob":
        do_blob(argv)
    elif verb == "raw":
        do_raw(argv)
    elif verb == "load":
        load(Line(argv[0]), argv[1])
    elif verb == "ssp":
        do_ssp(argv)
    elif verb in VERBS:
        VERBS[verb](argv)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
