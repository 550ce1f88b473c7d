#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image from-xml: a provisioning folder in ST's form, made here.
# shellcheck disable=SC2086 # lists of options
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/image.sh"
provisor --version | grep -q libxml2 || {
	echo "1..0 # SKIP built without libxml2"
	exit 0
}
cd "$T" || exit 1
keys
mkdir -p rot/Image rot/Config rot/Keys Appli
cp p256.pem rot/Keys/auth.pem
cp enc-ec.pem rot/Keys/enc.pem
cp fw.bin Appli/appli.bin

HEAD='<?xml version="1.0" encoding="UTF-8"?>
<Root xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x.xsd">'
cat >rot/Config/config.xml <<EOF
$HEAD
<Obdata>
	<Info><Title>configuration</Title></Info>
	<Data><Name>Download offset</Name><Value>0x001E0000</Value><Width>4</Width></Data>
	<Data><Name>Area size</Name><Default>0x00020000</Default></Data>
	<Data><Name>Empty</Name><Value></Value></Data>
	<File><Name>Encryption key</Name><Value>./../Keys/enc.pem</Value></File>
	<File><Name>Authentication key</Name><Value>.\\..\\Keys\\auth.pem</Value></File>
</Obdata>
</Root>
EOF
param() { # NAME TYPE COMMAND MORE
	printf '<Param><Name>%s</Name><Type>%s</Type><Command>%s</Command>%s</Param>\n' "$1" "$2" "$3" "$4"
}
image() { # FILE, further Params from standard input
	{
		echo "$HEAD"
		echo '<McubootFormat><GlobalParam><Command>sign</Command><Title>code</Title>'
		echo "<LinkedXML>${LINK:-./../Config/config.xml}</LinkedXML></GlobalParam>"
		cat
		echo "<Param><Name>Input</Name><Value>${INPUT:-../../Appli/appli.bin}</Value><Type>File</Type></Param>"
		echo "<Output><Name>Out</Name><Value>${OUTPUT:-../../Appli/signed.hex}</Value></Output>"
		echo '</McubootFormat></Root>'
	} >"rot/Image/$1"
}
common() {
	param 'Authentication key' File -k '<Link></Link><Hidden>1</Hidden>'
	param 'Encryption key' File -E '<Link>GetPublic</Link>'
	param 'Endianness' Data -e '<Default>little</Default>'
	param 'Padding' Data --pad '<Default></Default>'
	param 'Area size' Data -S '<Link></Link>'
	param 'Header Size' Data -H '<Default>0x400</Default>'
	param 'Padding Header' Data --pad-header ''
	param 'Data image' Dependency -d '<Value>1,1.0.0</Value><Enable>0</Enable>'
	param 'Write Option' Data --overwrite-only ''
	param 'Version' Data -v '<Value>1.2.3</Value><Default>1.0.0</Default>'
	param 'Security Counter' Data -s '<Value>auto</Value>'
	param 'Align' Data --align '<Default>16</Default>'
	param 'Download offset' Data -x '<Link>+0x8000000</Link>'
}
{ common && param 'Magic' Data -ma '<Default>0x73ab1024</Default>'; } | image code.xml

W="version=1.2.3 counter=0x01020003 st=1 hdr=0x400 key=p256-pub.pem decrypt=enc-ec.pem"
M="slot=0x20000 pad=1 overwrite=1 align=16 base=0x81E0000"
expect 0 'note: .*Appli/appli.bin. lies outside the folder' 'from-xml says which paths lead elsewhere' -- \
	provisor image from-xml rot/Image/code.xml
expect 0 'good' 'the image verifies' -- provisor image verify --flavor st-h5-stirot -k p256-pub.pem \
	--decrypt-key enc-ec.pem -S 0x20000 --overwrite-only Appli/signed.hex
ok 'and is what the options say' -- "$WITNESS" Appli/signed.hex fw.bin $W $M magic=0x73ab1024
common | image oemirot.xml
ok 'another flavor by its options, another output' -- sh -c "
	cd rot/Image && provisor --quiet image from-xml oemirot.xml -o ../../o.hex && cd ../.. &&
	'$WITNESS' o.hex fw.bin $W $M"
expect 0 'image sign --flavor st-h5-stirot -k rot/Image/./../Config/./../Keys/auth.pem .* -S 0x00020000 .* -x 0x81e0000 -ma 0x73ab1024' \
	'--dry-run prints the command' -- provisor image from-xml --dry-run rot/Image/code.xml
provisor image from-xml --dry-run --quiet rot/Image/oemirot.xml -o s.hex >cmd.sh
ok 'which does the same' -- sh -c '
	sh -e ./cmd.sh >/dev/null && provisor image verify -k p256-pub.pem --decrypt-key enc-ec.pem s.hex'
ok '--json' -- sh -c 'provisor --json image from-xml rot/Image/code.xml |
	jq -e ".flavor == \"st-h5-stirot\" and .version == \"1.2.3+0\""'
expect 0 'version' 'another key' -- provisor image from-xml --key other.pem rot/Image/oemirot.xml -o k.hex
expect 0 'good' 'which signed' -- provisor image verify -k other-pub.pem --decrypt-key enc-ec.pem k.hex
OUTPUT=data.bin image plain.xml <<EOF
$(param Header Data -H '<Default>0x20</Default>')
$(param Pad Data --pad-header '')
$(param Version Data -v '<Value>1.0.0</Value>')
EOF
ok 'outputs are found from the XML' -- sh -c 'provisor image from-xml rot/Image/plain.xml && test -s rot/Image/data.bin'
token
openssl pkcs8 -topk8 -nocrypt -in p256.pem -out p256.p8
softhsm2-util --import p256.p8 --token oem --label boot --id 01 --pin 271828 >/dev/null
expect 0 "-k 'pkcs11:token=oem;object=boot'" '--dry-run quotes what a shell would take apart' -- \
	provisor image from-xml --dry-run --key 'pkcs11:token=oem;object=boot' rot/Image/oemirot.xml
ok 'a key in a token' -- sh -c "
	provisor image from-xml --key 'pkcs11:token=oem;object=boot' rot/Image/oemirot.xml -o t.hex &&
	provisor image verify -k p256-pub.pem --decrypt-key enc-ec.pem t.hex"

cp rot/Config/config.xml far.xml
common | LINK=../../far.xml image far.xml
expect 0 "note: 'rot/Image/../../far.xml' lies outside" 'a linked XML elsewhere is said, too' -- \
	provisor image from-xml --dry-run rot/Image/far.xml

# --- refused
bad() { # CODE PATTERN DESC
	rm -f no.hex
	expect "$1" "$2" "$3" -- provisor image from-xml rot/Image/bad.xml -o no.hex
	[ ! -e no.hex ] || fail "$3: an output all the same"
}
edit() {
	sed "$1" rot/Image/code.xml >rot/Image/bad.xml
}
sed 's/<Root/<!DOCTYPE Root [<!ENTITY x SYSTEM "file:\/\/\/etc\/passwd">]><Root/; s/1.2.3/\&x;/' \
	rot/Image/code.xml >rot/Image/bad.xml
bad 3 'document type' 'an external entity'
edit 's/>sign</>flash</'
bad 3 "command 'flash': only 'sign'" 'another command'
edit 's/McubootFormat/Obdata/'
bad 3 'no Root/McubootFormat' 'the XML of OB keys'
edit 's/GetPublic/GetSecret/'
bad 3 "line [0-9]+: 'Encryption key': Link 'GetSecret'" 'a link that is none'
edit 's/config.xml/nosuch.xml/'
bad 1 'nosuch.xml' 'a linked XML that is missing'
edit 's/<LinkedXML>.*<.LinkedXML>//'
bad 3 "'Authentication key' is linked, but there is no LinkedXML" 'no linked XML'
edit 's/<Name>Area size/<Name>Nowhere/'
bad 3 "'Nowhere' is not in '../Config/config.xml'|'Nowhere' is not in" 'a value that is nowhere'
edit 's/<Name>Area size/<Name>Empty/'
bad 3 "'Empty' has no value" 'a linked value that is empty'
edit 's/<Enable>0/<Enable>no/'
bad 3 "Enable is 0 or 1" 'neither on nor off'
edit 's/+0x8000000/+0xffffffffff/'
bad 3 'Link' 'an offset out of range'
edit 's/<Output>.*<.Output>//'
bad 3 'no Output is named' 'no output'
edit 's/<Param><Name>Input.*//'
bad 3 'no firmware is named' 'no input'
edit 's/--overwrite-only/--no-such-option/'
bad 3 "'--no-such-option' is no option of imgtool" 'an option that is none'
# A description must not choose code to run, or files to write and to read that
# nobody sees: these are options of ours, tokens, and words slipped in as values.
cat >spy.c <<'EOF'
#include <stdio.h>
__attribute__((constructor)) static void loaded(void)
{
	fclose(fopen("loaded", "w"));
}
EOF
cc -shared -fPIC -o spy.so spy.c
U="pkcs11:token=oem;object=boot"
evil() { # COMMAND VALUE TYPE PATTERN DESC
	{ common && param evil "$3" "$1" "<Value>$2</Value>"; } | image bad.xml
	bad 3 "$4" "$5"
}
evil --module "$T/spy.so" Data "'--module' is no option of imgtool" 'a module to load'
evil --sig-out "$T/loaded" Data "'--sig-out' is no option of imgtool" 'another output'
evil --batch "$T/fw.bin" Data "'--batch' is no option" 'a list of images'
evil "--module=$T/spy.so" '' Data 'is no option of imgtool' 'an option with its value'
evil --pad "--module=$T/spy.so" Data "'--pad' takes no value" 'an option in the place of a value'
evil --confirm fw.bin Data "'--confirm' takes no value" 'a file in the place of a value'
evil -M --pad Data "value '--pad' begins with '-'" 'an option as a value'
evil -M '' Data "'-M' has no value" 'an option without its value'
evil -k "$U?module-path=$T/spy.so" Data "'-k' takes a file" 'a token'
evil -E p256.pem Data "'-E' takes a file" 'a key that is no file'
{ common && param evil File -k "<Value>$U?module-path=$T/spy.so</Value>"; } | image bad.xml
mv rot/Image/bad.xml rot/Config/config.xml .
sed -i 's,./../Config/config.xml,config.xml,' bad.xml
expect 3 'is no file' 'a token as a file, beside the XML' -- provisor image from-xml bad.xml -o no.hex
common | INPUT="--sig-out=$T/loaded" image bad.xml && mv rot/Image/bad.xml .
sed -i 's,./../Config/config.xml,config.xml,' bad.xml
expect 3 "'--sig-out=.*' is no file" 'an option as firmware, beside the XML' -- \
	provisor image from-xml bad.xml -o no.hex
mv config.xml rot/Config
not_ok 'nothing of these was loaded or written' -- test -e loaded
edit 's/<.McubootFormat>//'
bad 3 'bad.xml' 'no XML'
edit 's/1.2.3</1.2.300000</'
bad 2 'revision is larger' 'a version out of range'
done_testing
