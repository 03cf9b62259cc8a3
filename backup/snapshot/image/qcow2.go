package image

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// Features that a reader of qcow2 must know (docs/interop/qcow2.txt of QEMU).
const (
	qcowDirty = 1 << iota
	qcowCorrupt
	qcowData
	qcowCompression
	qcowExtended
)

const (
	extensionFormat = 0xe2792aca
	extensionData   = 0x44415441
)

// qcow2 reads a header of version 2 or 3.
func (p *parser) qcow2() {
	p.Format, p.Virtual = QCOW2, 0
	h := p.bytes(0, 72)
	be := binary.BigEndian
	version, cluster := be.Uint32(h[4:]), be.Uint32(h[20:])
	features, length := uint64(0), int64(72)
	switch version {
	case 2:
	case 3:
		h = p.bytes(0, 104)
		features, length = be.Uint64(h[72:]), int64(be.Uint32(h[100:]))
	default:
		p.broken("version %d of qcow2", version)
		return
	}
	if p.err != nil {
		return
	}
	size := be.Uint64(h[24:])
	switch {
	case cluster < 9 || cluster > 21:
		p.broken("clusters of 2^%d bytes, want 2^9 to 2^21", cluster)
		return
	case size > 1<<62:
		p.broken("a disk of %d bytes", size)
		return
	case version == 3 && (length < 104 || length > int64(1)<<cluster || length%8 != 0):
		p.broken("a header of %d bytes", length)
		return
	}
	p.Virtual = int64(size)
	p.tables(h, version, features, length)
	if features&qcowDirty != 0 {
		p.find(RuleDirty, opsec.SeverityMedium, "it was not closed in order: check it before it is written to")
	}
	if features&qcowCorrupt != 0 {
		p.find(RuleCorrupt, opsec.SeverityHigh, "it is marked as corrupt")
	}
	if known := uint64(qcowDirty | qcowCorrupt | qcowData | qcowCompression | qcowExtended); features&^known != 0 {
		p.find(RuleUnknown, opsec.SeverityHigh, "features %#x that are not known", features&^known)
		p.Broken = "it has features that are not known"
	}
	if method := be.Uint32(h[32:]); method != 0 {
		p.find(RuleEncrypted, opsec.SeverityInfo, "it is encrypted (method %d): without the key it is lost too", method)
	}
	at, n := be.Uint64(h[8:]), int64(be.Uint32(h[16:]))
	format, data := p.extensions(length, int64(1)<<cluster, at)
	if at != 0 {
		p.backing(at, n, int64(1)<<cluster, format)
	}
	if features&qcowData != 0 {
		if data == "" {
			p.broken("its data is in another file, and its header does not say which")
			return
		}
		r := p.ref(data, snapshot.AsDataFile, "")
		if !r.foreign && !strings.HasPrefix(data, "/") {
			p.find(RuleRelative, opsec.SeverityMedium, "the name of its data file is relative: QEMU looks for it in the folder where it was started, not beside the image")
		}
		r.format = Raw
		p.Refs = append(p.Refs, r)
	}
	p.qcowPoints(be.Uint32(h[60:]), be.Uint64(h[64:]))
}

// tables looks at what the header says of its own tables, and is broken by what makes QEMU refuse an image.
func (p *parser) tables(h []byte, version uint32, features uint64, length int64) {
	be := binary.BigEndian
	cluster, entry := uint64(1)<<be.Uint32(h[20:]), uint64(8)
	if features&qcowExtended != 0 {
		entry = 16
	}
	reach := cluster * (cluster / entry) // bytes of the disk that an entry of the first table stands for
	need, have := (be.Uint64(h[24:])+reach-1)/reach, uint64(be.Uint32(h[36:]))
	counts, method := uint64(be.Uint32(h[56:])), be.Uint32(h[32:])
	switch {
	case have < need || have > 32<<20/8:
		p.broken("a first table of %d entries, want %d", have, need)
	case be.Uint64(h[40:])%cluster != 0 || be.Uint64(h[40:]) > 1<<62:
		p.broken("a first table at %d", be.Uint64(h[40:]))
	case counts == 0 || counts*cluster > 8<<20:
		p.broken("a table of %d clusters that counts references", counts)
	case be.Uint64(h[48:])%cluster != 0 || be.Uint64(h[48:]) > 1<<62:
		p.broken("a table at %d that counts references", be.Uint64(h[48:]))
	case be.Uint64(h[64:])%cluster != 0 || be.Uint64(h[64:]) > 1<<62:
		p.broken("a table of internal snapshots at %d", be.Uint64(h[64:]))
	case method > 2:
		p.broken("encryption by method %d", method)
	case version == 3 && be.Uint32(h[96:]) > 6:
		p.broken("counts of 2^%d bits, want up to 2^6", be.Uint32(h[96:]))
	}
	kind := byte(0)
	if length > 104 {
		kind = p.bytes(104, 1)[0]
	}
	if kind > 1 || (kind != 0) != (features&qcowCompression != 0) {
		p.broken("compression of type %d, which the features that it says do not fit", kind)
	}
}

func (p *parser) backing(at uint64, n, cluster int64, format string) {
	if n == 0 || n > maxName || at > uint64(cluster) || n > cluster-int64(at) {
		p.broken("a backing file whose name has %d bytes at %d, want 1 to %d in the first cluster", n, at, maxName)
		return
	}
	name := text(p.bytes(int64(at), n))
	if p.err != nil {
		return
	}
	if abs, ok := strings.CutPrefix(name, "file:"); ok && strings.HasPrefix(abs, "/") {
		name = abs // without a slash it is no path from here: qemu looks for it wherever it was started
	}
	if name == "" {
		p.broken("a backing file whose name is empty")
		return
	}
	if format == "" {
		p.find(RuleGuessed, opsec.SeverityMedium, "the format of its backing file is not on record: whoever writes to that can choose it")
	}
	r := p.ref(name, snapshot.AsBacking, "")
	r.format = formats[format]
	p.Refs = append(p.Refs, r)
}

// formats are those of this package by qemu's names of them.
var formats = map[string]Format{"raw": Raw, "qcow2": QCOW2, "vmdk": VMDK, "vpc": VHD, "vhdx": VHDX}

// text returns what stands before the first zero, which is all that qemu sees.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// extensions reads what stands between the header and the name of the backing file, all within the first cluster.
func (p *parser) extensions(at, cluster int64, backing uint64) (format, data string) {
	end := min(cluster, p.size)
	if backing != 0 && backing < uint64(end) {
		end = int64(backing)
	}
	for at+8 <= end {
		h := p.bytes(at, 8)
		kind, n := binary.BigEndian.Uint32(h), int64(binary.BigEndian.Uint32(h[4:]))
		if p.err != nil {
			return format, data
		}
		at += 8
		if n > end-at {
			p.broken("an extension of its header that is longer than the header")
			return format, data
		}
		if kind == 0 {
			return format, data
		}
		switch kind {
		case extensionFormat, extensionData:
			if n > maxName || kind == extensionFormat && n > 15 {
				p.broken("a name of %d bytes in its header, want up to %d, or 15 for a format", n, maxName)
				return format, data
			}
			if value := text(p.bytes(at, n)); kind == extensionFormat {
				format = value
			} else {
				data = value
			}
		}
		at += (n + 7) &^ 7
	}
	return format, data
}

// qcowPoints reads the table of internal snapshots.
func (p *parser) qcowPoints(count uint32, offset uint64) {
	if count == 0 {
		return
	}
	if count > maxPoints || offset > uint64(p.size) {
		p.broken("%d internal snapshots at %d, want up to %d, inside of the file", count, offset, maxPoints)
		return
	}
	at, known := int64(offset), map[string]bool{}
	for range count {
		h := p.bytes(at, 40)
		be := binary.BigEndian
		id, name, extra := int64(be.Uint16(h[12:])), int64(be.Uint16(h[14:])), int64(be.Uint32(h[36:]))
		if p.err != nil {
			return
		}
		if extra > 64<<10 || id+name > 4*maxName || at-int64(offset) > maxTable {
			p.broken("an internal snapshot with %d bytes of name and %d of other things", id+name, extra)
			return
		}
		names := p.bytes(at+40+extra, id+name)
		if p.err != nil {
			return
		}
		what := string(names[id:])
		if what == "" {
			what = string(names[:id])
		} else if known[what] { // which qemu allows
			what += pointMark + string(names[:id])
		}
		known[what] = true
		p.Points = append(p.Points, Point{Name: what, Created: int64(be.Uint32(h[16:]))})
		at += (40 + extra + id + name + 7) &^ 7
	}
}
