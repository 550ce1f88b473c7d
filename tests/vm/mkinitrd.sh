#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest of scripts/check-vm as an initial RAM disk: busybox, the kernel
# modules it loads, programs with the libraries they need, and files.
#
#   mkinitrd.sh KERNEL MODULES OUT PROGRAM... -- FILE...
#
#   KERNEL    unpacked kernel package (boot/, lib/modules/)
#   MODULES   names of the modules, in quotes; what they need comes along
#   PROGRAM   goes to /bin with its shared libraries
#   FILE      goes to /vm; /vm/guest.sh is run as init
set -eu
kernel=$1 modules=$2 out=$3
shift 3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
(cd "$root" && mkdir -p bin dev etc lib/modules proc run sys tmp vm)

busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
for applet in sh awk cat cmp cut dd echo grep head insmod ip kill ls mkdir \
	mount pidof poweroff readlink rm sed sleep tail timeout touch tr wc; do
	ln -s busybox "$root/bin/$applet"
done

version=$(ls "$kernel/lib/modules")
[ -e "$kernel/lib/modules/$version/modules.dep" ] ||
	depmod -b "$kernel" "$version"
for m in $modules; do
	modprobe -d "$kernel" -S "$version" --show-depends "$m" |
		sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' >"$root/order"
while read -r f; do
	cp "$f" "$root/lib/modules/"
	basename "$f"
done <"$root/order" >"$root/lib/modules/order"
rm "$root/order"

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	cp -L "$1" "$root/bin/"
	# ldd fails on a static program, which needs nothing.
	for lib in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$root$(dirname "$lib")"
		[ -e "$root$lib" ] || cp -L "$lib" "$root$lib"
	done
	shift
done
shift
for f; do
	cp -L "$f" "$root/vm/"
done
chmod +x "$root/vm/guest.sh"
ln -s vm/guest.sh "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out"
