#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run an unmodified libusb program against devices of USB/IP servers.

Usage: umock_usbip.py [HOST:]PORT[,...] COMMAND [ARG...]

umockdev shows the program a machine with one USB device for each server, on
bus 1, ports 1, 2, ...; the ioctls it makes on them become USB/IP packets. No
kernel USB, no root. Needs Debian's own python3 with python3-gi and
gir1.2-umockdev-1.0, and the package umockdev; exits 77 where they are missing.
"""
import select
import socket
import struct
import subprocess
import sys
import threading

try:
    import gi
    gi.require_version("UMockdev", "1.0")
    from gi.repository import GLib, UMockdev
except (ImportError, ValueError) as why:
    print("umock_usbip.py: %s" % why, file=sys.stderr)
    sys.exit(77)

# linux/usbdevice_fs.h, 64 bit
(CAPS, CLAIM, RELEASE, SETIF, SUBMIT, DISCARD, REAP, REAPND, DISCLAIM, GETDRV,
 RESET, SETCFG) = (
    0x8004551A, 0x8004550F, 0x80045510, 0x80085504, 0x8038550A, 0x550B,
    0x4008550C, 0x4008550D, 0x8108551B, 0x41045508, 0x5514, 0x80045505)
ENOENT, EAGAIN, ENODEV, EINVAL, ENOTTY, ENODATA = 2, 11, 19, 22, 25, 61
ESHUTDOWN = 108
URB_CONTROL = 2
WAIT = 0.005  # for an answer, before the program is told to ask again

DEVICE = """P: /devices/pci0000:00/0000:00:14.0/usb1/1-{port}
N: bus/usb/001/{number:03d}
E: DEVNAME=/dev/bus/usb/001/{number:03d}
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: BUSNUM=001
E: DEVNUM={number:03d}
E: MAJOR=189
E: MINOR={port}
E: ID_VENDOR_ID={vendor:04x}
E: ID_MODEL_ID={product:04x}
A: busnum=1\\n
A: devnum={number}\\n
A: speed=12\\n
A: idVendor={vendor:04x}\\n
A: idProduct={product:04x}\\n
A: bConfigurationValue=1\\n
H: descriptors={descriptors}
"""


class Gone(Exception):
    """The server closed the connection, or has no device."""


class Device:
    """One attached USB/IP device."""

    def __init__(self, host, port):
        self.sock = socket.create_connection((host, port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seq = 0
        self.sock.sendall(struct.pack(">HHI32s", 0x0111, 0x8003, 0, b"1-1"))
        _, _, status = struct.unpack(">HHI", self._exact(8))
        if status != 0:
            self.close()
            raise Gone
        self._exact(312)

    def close(self):
        self.sock.close()

    def _exact(self, n):
        data = b""
        while len(data) < n:
            try:
                part = self.sock.recv(n - len(data))
            except OSError as why:
                raise Gone from why
            if not part:
                raise Gone
            data += part
        return data

    def _send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as why:
            raise Gone from why

    def submit(self, setup, out):
        """Send a control transfer; returns its sequence number."""
        self.seq += 1
        inward = setup[0] >> 7
        length = struct.unpack("<H", setup[6:8])[0]
        self._send(struct.pack(">5IIiiii", 1, self.seq, 1 << 16 | 2, inward, 0,
                               0, length, 0, 0, 0) + setup + out)
        return self.seq

    def unlink(self, seq):
        self.seq += 1
        self._send(struct.pack(">5II", 2, self.seq, 1 << 16 | 2, 0, 0, seq) +
                   bytes(24))

    def answer(self, timeout, inward):
        """(command, seq, status, data) of the next packet, or None."""
        if not select.select([self.sock], [], [], timeout)[0]:
            return None
        head = self._exact(48)
        command, seq = struct.unpack(">2I", head[:8])
        status, length = struct.unpack(">ii", head[20:28])
        data = b""
        if command == 3 and length > 0 and inward(seq):
            data = self._exact(length)
        return command, seq, status, data

    def descriptors(self):
        """Device and configuration, as sysfs shows them."""
        return (self.control(struct.pack("<BBHHH", 0x80, 6, 1 << 8, 0, 18)) +
                self.control(struct.pack("<BBHHH", 0x80, 6, 2 << 8, 0, 4096)))

    def control(self, setup):
        """One transfer from the device, waiting for its end."""
        self.submit(setup, b"")
        got = self.answer(5, lambda seq: True)
        if got is None or got[2] != 0:
            raise Gone
        return got[3]


class Handler(UMockdev.IoctlBase):
    """Answers the usbfs ioctls of one device node."""

    def __init__(self, testbed, path, host, port):
        super().__init__()
        self.testbed, self.path = testbed, path
        self.where = (host, port)
        self.device = None
        self.lost = 0       # how often the device went away
        self.clients = {}   # open file: value of `lost` when it was opened
        self.pending = {}   # seq: (urb, buffer, setup)
        self.done = []

    def _attach(self):
        if self.device is None:
            try:
                self.device = Device(*self.where)
            except OSError as why:
                raise Gone from why

    def _come_back(self):
        """It may have other descriptors when it enumerates again."""
        if self.device is not None:
            return False
        try:
            self._attach()
            self.testbed.set_attribute_binary(
                self.path, "descriptors", self.device.descriptors())
        except Gone:
            if self.device is not None:
                self.device.close()
            self.device = None
            return True
        return False

    def _drop(self):
        if self.device is not None:
            self.device.close()
        self.device = None
        self.lost += 1
        GLib.timeout_add(20, self._come_back)
        # As the kernel does it: what is under way ends, and can be reaped.
        for urb, _, _ in self.pending.values():
            urb.update(4, struct.pack("<i", -ESHUTDOWN))
            urb.update(28, struct.pack("<i", 0))
            self.done.append(urb)
        self.pending.clear()

    def _collect(self, timeout):
        while True:
            got = self.device.answer(
                timeout, lambda seq: self.pending[seq][2][0] & 0x80)
            if got is None:
                return
            command, seq, status, data = got
            if command == 4:
                return
            urb, buf, setup = self.pending.pop(seq)
            if setup[0] & 0x80:
                actual = len(data)
                if data:
                    buf.update(8, data)
            else:
                actual = len(buf.retrieve()) - 8 if status == 0 else 0
            urb.update(4, struct.pack("<i", status))
            urb.update(28, struct.pack("<i", actual))
            self.done.append(urb)
            timeout = 0

    def _submit(self, data):
        urb = bytes(data.retrieve())
        if urb[0] != URB_CONTROL:
            return EINVAL
        buf = data.resolve(16, struct.unpack_from("<i", urb, 24)[0])
        raw = bytes(buf.retrieve())
        out = b"" if raw[0] & 0x80 else raw[8:]
        seq = self.device.submit(raw[:8], out)
        self.pending[seq] = (data, buf, raw[:8])
        return 0

    def _discard(self):
        """The only transfer under way is the one to take back."""
        if not self.pending:
            return EINVAL
        seq = next(iter(self.pending))
        self.device.unlink(seq)
        self._collect(1)
        if seq not in self.pending:
            return EINVAL
        urb = self.pending.pop(seq)[0]
        urb.update(4, struct.pack("<i", -ENOENT))
        urb.update(28, struct.pack("<i", 0))
        self.done.append(urb)
        return 0

    def _ioctl(self, request, data):
        if request == CAPS:
            data.update(0, struct.pack("<I", 0x01 | 0x02 | 0x04 | 0x10))
        elif request == SETIF:
            interface, alternate = struct.unpack("<II", bytes(data.retrieve()))
            seq = self.device.submit(
                struct.pack("<BBHHH", 1, 11, alternate, interface, 0), b"")
            got = self.device.answer(5, lambda s: False)
            if got is None or got[1] != seq or got[2] != 0:
                return EINVAL
        elif request in (CLAIM, RELEASE, DISCLAIM, RESET, SETCFG):
            pass
        elif request == GETDRV:
            return ENODATA
        elif request == SUBMIT:
            return self._submit(data)
        elif request in (REAP, REAPND):
            if self.pending:
                self._collect(WAIT)
            if not self.done:
                return EAGAIN
            data.set_ptr(0, self.done.pop(0))
        elif request == DISCARD:
            return self._discard()
        else:
            print("umock_usbip.py: ioctl 0x%08x" % request, file=sys.stderr)
            return ENOTTY
        return 0

    def do_handle_ioctl(self, client):
        request = client.get_property("request") & 0xFFFFFFFF
        arg = client.get_property("arg")
        size = (request >> 16) & 0x3FFF
        data = arg.resolve(0, size) if size else None
        opened = self.clients.setdefault(client, self.lost)
        error = ENODEV
        try:
            if request in (REAP, REAPND) and self.done:
                data.set_ptr(0, self.done.pop(0))
                error = 0
            elif opened == self.lost:
                self._attach()
                error = self._ioctl(request, data)
        except Gone:
            self._drop()
            if request in (REAP, REAPND) and self.done:
                data.set_ptr(0, self.done.pop(0))
                error = 0
        client.complete(-1 if error else 0, error)
        return True


def describe(host, port):
    """The descriptors of a server's device, as sysfs shows them."""
    device = Device(host, port)
    try:
        return device.descriptors()
    finally:
        device.close()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    testbed = UMockdev.Testbed.new()
    handlers = []
    for i, text in enumerate(sys.argv[1].split(",")):
        host, _, port = text.rpartition(":")
        host = host or "127.0.0.1"
        try:
            descriptors = describe(host, int(port))
        except Gone:
            continue  # not on the bus
        except OSError as why:
            sys.exit("umock_usbip.py: %s:%s: %s" % (host, port, why))
        vendor, product = struct.unpack_from("<HH", descriptors, 8)
        testbed.add_from_string(DEVICE.format(
            port=i + 1, number=i + 2, vendor=vendor, product=product,
            descriptors=descriptors.hex().upper()))
        handler = Handler(
            testbed, "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-%d" %
            (i + 1), host, int(port))
        testbed.attach_ioctl("/dev/bus/usb/001/%03d" % (i + 2), handler)
        handlers.append(handler)
    loop = GLib.MainLoop()
    code = [1]

    def run():
        code[0] = subprocess.call(["umockdev-wrapper"] + sys.argv[2:])
        loop.quit()

    threading.Thread(target=run).start()
    loop.run()
    # The server writes its account when the connection ends.
    for handler in handlers:
        handler._drop()
    sys.exit(code[0] if code[0] >= 0 else 128 - code[0])


main()
