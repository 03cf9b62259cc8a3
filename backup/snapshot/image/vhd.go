package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

const (
	vhdFooter = 512
	vhdHeader = 1024
)

// footer says whether a file ends as a fixed VHD does.
func (p *parser) footer() bool {
	return p.size >= vhdFooter && bytes.HasPrefix(p.bytes(p.size-vhdFooter, 8), []byte("conectix"))
}

// vhd reads the footer, and the header of a disk that grows or differs (Microsoft, Virtual Hard Disk Image Format Specification, 2006).
func (p *parser) vhd() {
	p.Format, p.Virtual = VHD, 0
	be := binary.BigEndian
	f := p.bytes(max(p.size-vhdFooter, 0), vhdFooter)
	if p.err != nil {
		return
	}
	if !bytes.HasPrefix(f, []byte("conectix")) || !summed(f, 64) {
		copied := p.bytes(0, vhdFooter)
		if p.err != nil {
			return
		}
		if !bytes.HasPrefix(copied, []byte("conectix")) || !summed(copied, 64) {
			p.broken("neither of its footers has the sum that it says")
			return
		}
		p.find(RuleDirty, opsec.SeverityMedium, "its last footer is damaged; the first is not")
		f = copied
	}
	kind, size, at := be.Uint32(f[60:]), be.Uint64(f[48:]), be.Uint64(f[16:])
	if size > 1<<62 {
		p.broken("a disk of %d bytes", size)
		return
	}
	p.Virtual, p.identity = int64(size), fmt.Sprintf("%x", f[68:84])
	switch kind {
	case 2: // fixed
		return
	case 3, 4:
	default:
		p.broken("a disk of type %d", kind)
		return
	}
	if copied := p.bytes(0, vhdFooter); p.err == nil && !summed(copied, 64) {
		p.find(RuleDirty, opsec.SeverityMedium, "the copy of its footer at its beginning is damaged; the footer is not")
	}
	if at > uint64(p.size) {
		p.broken("a header at %d", at)
		return
	}
	h := p.bytes(int64(at), vhdHeader)
	if p.err != nil {
		return
	}
	if !bytes.HasPrefix(h, []byte("cxsparse")) || !summed(h, 36) {
		p.broken("its header has not the sum that it says")
		return
	}
	if kind == 4 {
		p.parent(h)
	}
}

// parent finds the name of the disk that this one differs from: relative to it, if that is on record.
func (p *parser) parent(h []byte) {
	be := binary.BigEndian
	name := ""
	for i := range 8 {
		e := h[576+24*i:]
		length, at := int64(be.Uint32(e[8:])), be.Uint64(e[16:])
		if string(e[:4]) != "W2ru" || length == 0 {
			continue
		}
		if length > 4*maxName || length%2 != 0 || at > uint64(p.size) {
			p.broken("a name of its parent with %d bytes at %d", length, at)
			return
		}
		if name = wide(p.bytes(int64(at), length), binary.LittleEndian); p.err != nil {
			return
		}
	}
	if name == "" {
		name = path.Base(windows(wide(h[64:576], be)))
	}
	if name = windows(name); name == "" || name == "." || name == "/" {
		p.broken("it differs from another disk, and does not say which")
		return
	}
	p.Refs = append(p.Refs, p.ref(name, snapshot.AsParent, fmt.Sprintf("%x", h[40:56])))
}

// summed says whether a structure has the sum that stands in it: the complement of the sum of its other bytes.
func summed(b []byte, at int) bool {
	sum := uint32(0)
	for i, c := range b {
		if i < at || i >= at+4 {
			sum += uint32(c)
		}
	}
	return ^sum == binary.BigEndian.Uint32(b[at:])
}

// wide reads UTF-16 up to a zero.
func wide(b []byte, order binary.ByteOrder) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		u := order.Uint16(b[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// windows returns a name of Windows with '/' between folders. A drive stands before it as another word by protocol would, and leads outside.
func windows(name string) string {
	return strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "./")
}
