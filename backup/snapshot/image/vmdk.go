package image

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec/backup/snapshot"
)

const noParent = "ffffffff" // the CID of none

// vmdk reads a sparse extent with a descriptor inside of it, or a descriptor (VMware, Virtual Disk Format 5.0).
func (p *parser) vmdk(start []byte) {
	p.Format, p.Virtual = VMDK, 0
	at, n, embedded := int64(0), p.size, bytes.HasPrefix(start, []byte("KDMV"))
	if embedded {
		h := p.bytes(0, 512)
		le := binary.LittleEndian
		sectors, from, many := le.Uint64(h[12:]), le.Uint64(h[28:]), le.Uint64(h[36:])
		if sectors > 1<<50 || from > 1<<50 || many > 1<<50 {
			p.broken("a disk of %d sectors, and a descriptor of %d at %d", sectors, many, from)
			return
		}
		p.Virtual = int64(sectors) * 512
		if from == 0 || many == 0 {
			return // an extent: another file describes it
		}
		at, n = int64(from)*512, int64(many)*512
	}
	if n > maxDescriptor {
		p.broken("a descriptor of %d bytes, want up to %d", n, maxDescriptor)
		return
	}
	text := p.bytes(at, n)
	if p.err != nil {
		return
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	p.descriptor(string(text), embedded)
}

// descriptor reads the text that says what a disk is made of. Extents are other files, unless the descriptor is inside of the one.
func (p *parser) descriptor(text string, embedded bool) {
	parent, hint, sectors, count := "", "", int64(0), 0
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(make([]byte, 0, 4096), maxDescriptor+1)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(strings.TrimSpace(key), " \t\"") {
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "cid":
				p.identity = cmp.Or(p.identity, cid(value)) // the first counts, as it does with qemu
			case "parentcid":
				parent = cmp.Or(parent, cid(value))
			case "parentfilenamehint":
				hint = cmp.Or(hint, value)
			}
			continue
		}
		if count++; count > 100_000 {
			p.broken("more than 100000 extents")
			return
		}
		sectors = min(sectors+p.extent(line, embedded), 1<<50)
	}
	if !embedded {
		p.Virtual = sectors * 512
	}
	switch parent = cmp.Or(parent, noParent); {
	case parent == noParent && hint == "":
	case hint == "":
		p.broken("it has a parent, and does not say where")
	case len(hint) > 4*maxName:
		p.broken("the name of its parent has %d bytes", len(hint))
	case parent == noParent:
		p.broken("it names a parent, and none by its content id")
	default:
		p.Refs = append(p.Refs, p.ref(strings.ReplaceAll(hint, `\`, "/"), snapshot.AsParent, parent))
	}
}

// cid returns a content id as it is compared: 32 bits, as hexadecimal digits. What is none is kept as far as it tells others apart.
func cid(value string) string {
	if n, err := strconv.ParseUint(value, 16, 32); err == nil {
		return fmt.Sprintf("%08x", n)
	}
	return strings.ToLower(short(value))
}

// extent reads a line such as `RW 20480 SPARSE "disk-s001.vmdk"`, and returns its sectors.
func (p *parser) extent(line string, embedded bool) int64 {
	head, rest, quoted := strings.Cut(line, `"`)
	f := strings.Fields(head)
	if len(f) < 3 || f[0] != "RW" && f[0] != "RDONLY" && f[0] != "NOACCESS" {
		return 0 // not a line of an extent
	}
	sectors, err := strconv.ParseInt(f[1], 10, 50)
	if err != nil || sectors < 0 {
		p.broken("an extent of %s sectors", snapshot.Quote(short(f[1])))
		return 0
	}
	if name, _, ok := strings.Cut(rest, `"`); quoted && ok && !embedded && f[2] != "ZERO" {
		if len(name) > 4*maxName || name == "" {
			p.broken("an extent whose name has %d bytes", len(name))
			return 0
		}
		r := p.ref(strings.ReplaceAll(name, `\`, "/"), snapshot.AsExtent, "")
		if f[2] == "FLAT" || f[2] == "VMFS" {
			r.format = Raw
		}
		p.Refs = append(p.Refs, r)
	}
	return sectors
}
