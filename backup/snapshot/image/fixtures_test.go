package image_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"unicode/utf16"
)

// Fixtures of the formats that no tool here makes with a parent. They follow the specifications of Microsoft, field by field.

func utf16le(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// id is 16 bytes that differ with n.
func id(n byte) []byte { return bytes.Repeat([]byte{n}, 16) }

// summed puts the complement of the sum of a structure's bytes at an offset.
func summed(b []byte, at int) []byte {
	sum := uint32(0)
	for _, c := range b {
		sum += uint32(c)
	}
	binary.BigEndian.PutUint32(b[at:], ^sum)
	return b
}

// vhd is a disk of 8 MiB, dynamic (kind 3) or laid on another (4), whose name is in a locator, or in the header alone when it is inside.
func vhd(kind uint32, own, parent byte, name string, inside bool) []byte {
	be := binary.BigEndian
	f := make([]byte, 512)
	copy(f, "conectix")
	be.PutUint32(f[8:], 2)
	be.PutUint32(f[12:], 0x10000)
	be.PutUint64(f[16:], 512)
	be.PutUint64(f[40:], 8<<20)
	be.PutUint64(f[48:], 8<<20)
	be.PutUint32(f[60:], kind)
	copy(f[68:], id(own))
	summed(f, 64)
	h := make([]byte, 1024)
	copy(h, "cxsparse")
	be.PutUint64(h[8:], ^uint64(0))
	be.PutUint64(h[16:], 2048)
	be.PutUint32(h[24:], 0x10000)
	be.PutUint32(h[28:], 4)
	be.PutUint32(h[32:], 2<<20)
	locator := utf16le(name)
	if kind == 4 {
		copy(h[40:], id(parent))
		for i, u := range utf16.Encode([]rune(name)) {
			be.PutUint16(h[64+2*i:], u)
		}
		if !inside {
			copy(h[576:], "W2ku") // absolute, as Windows has it: not for here
			be.PutUint32(h[576+8:], 2)
			copy(h[600:], "W2ru")
			be.PutUint32(h[600+4:], 512)
			be.PutUint32(h[600+8:], uint32(len(locator)))
			be.PutUint64(h[600+16:], 512+1024+512)
		}
	}
	summed(h, 36)
	out := append(bytes.Clone(f), h...)
	out = append(out, make([]byte, 512)...)
	out = append(out, append(locator, make([]byte, 1024-len(locator))...)...)
	return append(out, f...)
}

// guidBytes returns a GUID as VHDX stores it.
func guidBytes(s string) []byte {
	var a uint32
	var b, c uint16
	var d, e uint64
	if _, err := fmt.Sscanf(s, "%08x-%04x-%04x-%04x-%012x", &a, &b, &c, &d, &e); err != nil {
		panic(err)
	}
	out := binary.LittleEndian.AppendUint32(nil, a)
	out = binary.LittleEndian.AppendUint16(out, b)
	out = binary.LittleEndian.AppendUint16(out, c)
	return binary.BigEndian.AppendUint64(out, d<<48|e)
}

func crc(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[4:], 0)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// write is what the children of a VHDX know it by.
const write = "12345678-9abc-def0-1234-56789abcdef0"

// vhdx is a disk of 8 MiB, laid on another when there are keys.
func vhdx(write string, keys map[string]string) []byte {
	le := binary.LittleEndian
	out := make([]byte, 1<<20+64<<10+64<<10)
	copy(out, "vhdxfile")
	for i, sequence := range []uint64{7, 8} { // the second is in force
		h := make([]byte, 4096)
		copy(h, "head")
		le.PutUint64(h[8:], sequence)
		if i == 1 {
			copy(h[32:], guidBytes(write))
		}
		le.PutUint16(h[66:], 1)
		copy(out[64<<10*(i+1):], crc(h))
		t := make([]byte, 64<<10)
		copy(t, "regi")
		le.PutUint32(t[8:], 1)
		copy(t[16:], guidBytes("8b7ca206-4790-4b9a-b8fe-575f050f886e"))
		le.PutUint64(t[32:], 1<<20)
		le.PutUint32(t[40:], 128<<10)
		copy(out[192<<10+i*64<<10:], crc(t))
	}
	m := out[1<<20:]
	copy(m, "metadata")
	at, n := 64<<10, 0
	item := func(guid string, value []byte) {
		e := m[32+32*n:]
		copy(e, guidBytes(guid))
		le.PutUint32(e[16:], uint32(at))
		le.PutUint32(e[20:], uint32(len(value)))
		copy(m[at:], value)
		at, n = at+len(value), n+1
		le.PutUint16(m[10:], uint16(n))
	}
	flags := uint32(0)
	if keys != nil {
		flags = 2
	}
	item("caa16737-fa36-4d43-b3b6-33f0aa44e76b", le.AppendUint32(le.AppendUint32(nil, 1<<20), flags))
	item("2fa54224-cd1b-4876-b211-5dbed83bf4b8", le.AppendUint64(nil, 8<<20))
	if keys != nil {
		head := append(guidBytes("b04aefb7-d19e-4a81-b789-25b8e9445913"), 0, 0)
		head = le.AppendUint16(head, uint16(len(keys)))
		var texts []byte
		start := len(head) + 12*len(keys)
		for key, value := range keys {
			k, v := utf16le(key), utf16le(value)
			head = le.AppendUint32(head, uint32(start+len(texts)))
			head = le.AppendUint32(head, uint32(start+len(texts)+len(k)))
			head = le.AppendUint16(head, uint16(len(k)))
			head = le.AppendUint16(head, uint16(len(v)))
			texts = append(append(texts, k...), v...)
		}
		item("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", append(head, texts...))
	}
	return out
}

// qcow2 is the header of version 3, laid on another when there is a name.
func qcow2(backing string, features uint64) []byte {
	be := binary.BigEndian
	h := make([]byte, 104)
	copy(h, "QFI\xfb")
	be.PutUint32(h[4:], 3)
	be.PutUint32(h[20:], 16)
	be.PutUint64(h[24:], 8<<20)
	be.PutUint32(h[36:], 1)
	be.PutUint64(h[40:], 3<<16)
	be.PutUint64(h[48:], 1<<16)
	be.PutUint32(h[56:], 1)
	be.PutUint64(h[72:], features)
	be.PutUint32(h[96:], 4)
	be.PutUint32(h[100:], 104)
	h = append(h, 0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 5)
	h = append(h, "qcow2\x00\x00\x00"...)
	h = append(h, make([]byte, 8)...)
	if backing != "" {
		be.PutUint64(h[8:], uint64(len(h)))
		be.PutUint32(h[16:], uint32(len(backing)))
		h = append(h, backing...)
	}
	return append(h, make([]byte, 512)...)
}

// put returns a copy with bytes at an offset.
func put(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// onRaw is one that is laid on a raw disk.
func onRaw(backing string) []byte { return put(qcow2(backing, 0), 111, 3, 'r', 'a', 'w') }

// typed is one whose header has a type of compression.
func typed(features uint64, kind byte) []byte {
	b := qcow2("", features)
	return put(slices.Insert(b, 104, kind, 0, 0, 0, 0, 0, 0, 0), 103, 112)
}

// descriptor is the text of a VMDK.
func descriptor(cid, parent, hint string, extents ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=%s\ncreateType=\"vmfsSparse\"\n", cid, parent)
	if hint != "" {
		fmt.Fprintf(&b, "parentFileNameHint=%q\n", hint)
	}
	for _, e := range extents {
		fmt.Fprintf(&b, "RW 16384 VMFSSPARSE %q\n", e)
	}
	b.WriteString("\n# The Disk Data Base\nddb.adapterType = \"lsilogic\"\n")
	return []byte(b.String())
}
