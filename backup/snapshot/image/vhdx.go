package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// What is where in a VHDX (Microsoft, [MS-VHDX]).
const (
	vhdxHeader = 64 << 10 // the first; the second follows at twice that
	vhdxRegion = 192 << 10
	vhdxTable  = 64 << 10 // bytes of a table of regions, and of metadata

	regionMetadata = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
	itemParameters = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
	itemSize       = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
	itemParent     = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// guid returns a GUID as it is written, whose first three parts are stored the other way round.
func guid(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

// checked says whether the checksum of a structure, in its bytes 4 to 7, is right.
func checked(b []byte) bool {
	return crc32.Update(crc32.Update(crc32.Checksum(b[:4], castagnoli), castagnoli, make([]byte, 4)), castagnoli, b[8:]) == binary.LittleEndian.Uint32(b[4:])
}

// vhdx reads the header that is in force, the table of regions and the metadata.
func (p *parser) vhdx() {
	p.Format, p.Virtual = VHDX, 0
	le := binary.LittleEndian
	var header []byte
	for i := range int64(2) {
		h := p.bytes(vhdxHeader*(1+i), 4096)
		if p.err != nil {
			return
		}
		if bytes.HasPrefix(h, []byte("head")) && checked(h) && (header == nil || le.Uint64(h[8:]) > le.Uint64(header[8:])) {
			header = h
		}
	}
	if header == nil {
		p.broken("neither of its headers has the sum that it says")
		return
	}
	p.identity = guid(header[32:])
	if !bytes.Equal(header[48:64], make([]byte, 16)) {
		p.find(RuleDirty, opsec.SeverityMedium, "it was not closed in order: what its log holds has to be replayed")
	}
	at, ok := p.metadata()
	if !ok {
		return
	}
	items := p.items(at)
	if p.err != nil || p.Broken != "" {
		return
	}
	if b := items[itemSize]; len(b) >= 8 && le.Uint64(b) <= 1<<62 {
		p.Virtual = int64(le.Uint64(b))
	}
	parameters := items[itemParameters]
	if len(parameters) < 8 {
		p.broken("its metadata has no parameters")
		return
	}
	if le.Uint32(parameters[4:])&2 != 0 {
		p.locator(items[itemParent])
	}
}

// metadata finds where the metadata is.
func (p *parser) metadata() (at int64, ok bool) {
	le := binary.LittleEndian
	for i := range int64(2) {
		t := p.bytes(vhdxRegion+i*vhdxTable, vhdxTable)
		if p.err != nil {
			return 0, false
		}
		n := int64(le.Uint32(t[8:]))
		if !bytes.HasPrefix(t, []byte("regi")) || !checked(t) || n > (vhdxTable-16)/32 {
			continue
		}
		for e := t[16:]; n > 0; n, e = n-1, e[32:] {
			if guid(e) == regionMetadata {
				if at := le.Uint64(e[16:]); at <= uint64(p.size) {
					return int64(at), true
				}
			}
		}
	}
	p.broken("neither of its tables of regions says where the metadata is")
	return 0, false
}

// items reads the metadata that are wanted here.
func (p *parser) items(at int64) map[string][]byte {
	le := binary.LittleEndian
	t := p.bytes(at, vhdxTable)
	n := int(le.Uint16(t[10:]))
	if p.err != nil || !bytes.HasPrefix(t, []byte("metadata")) || n > (vhdxTable-32)/32 {
		if p.err == nil {
			p.broken("its metadata are none")
		}
		return nil
	}
	items := map[string][]byte{}
	for e := t[32:]; n > 0; n, e = n-1, e[32:] {
		id, from, length := guid(e), int64(le.Uint32(e[16:])), int64(le.Uint32(e[20:]))
		if id != itemParameters && id != itemSize && id != itemParent {
			continue
		}
		if _, twice := items[id]; twice || length > maxDescriptor {
			p.broken("metadata of %d bytes, or twice", length)
			return nil
		}
		items[id] = p.bytes(at+from, length)
	}
	return items
}

// locator reads where the parent is: keys and values.
func (p *parser) locator(b []byte) {
	le := binary.LittleEndian
	if len(b) < 20 {
		p.broken("it has a parent, and does not say where")
		return
	}
	n := int(le.Uint16(b[18:]))
	if 20+12*n > len(b) {
		p.broken("a list of %d keys that is longer than its metadata", n)
		return
	}
	values := map[string]string{}
	for i := range n {
		e := b[20+12*i:]
		key, value := int64(le.Uint32(e)), int64(le.Uint32(e[4:]))
		keyLen, valueLen := int64(le.Uint16(e[8:])), int64(le.Uint16(e[10:]))
		if key+keyLen > int64(len(b)) || value+valueLen > int64(len(b)) || valueLen > 4*maxName {
			p.broken("a key or a value that is outside of its metadata, or has %d bytes", valueLen)
			return
		}
		values[wide(b[key:key+keyLen], le)] = wide(b[value:value+valueLen], le)
	}
	name := windows(values["relative_path"])
	if name == "" {
		name = windows(values["absolute_win32_path"])
	}
	if name == "" {
		p.broken("it has a parent, and does not say where")
		return
	}
	identity := strings.ToLower(strings.Trim(values["parent_linkage"], "{}"))
	if identity == "" {
		p.broken("it has a parent, and does not say which")
		return
	}
	p.Refs = append(p.Refs, p.ref(name, snapshot.AsParent, identity))
}
