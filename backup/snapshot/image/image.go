package image

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// Format is how an image is written.
type Format string

// The formats. What is none of them is Raw: any file can be a disk.
const (
	Raw     Format = "raw"
	QCOW2   Format = "qcow2"
	VMDK    Format = "vmdk"
	VHD     Format = "vhd"
	VHDX    Format = "vhdx"
	Libvirt Format = "libvirt"
	JSON    Format = "json"
)

// Rules of findings. See package snapshot for those of graphs.
const (
	RuleHeader    = "header"          // it says what cannot be: the image cannot be read
	RuleForeign   = "foreign"         // a reference by protocol or JSON, which may lead anywhere: it is not followed
	RuleOutside   = "outside"         // a reference that leads out of what is looked at: it is not followed
	RuleNotAFile  = "not-a-file"      // a reference to a folder, a device, a FIFO or a socket: it is not opened
	RuleUnread    = "unreadable"      // it could not be opened or read
	RuleDirty     = "dirty"           // it was not closed in order: what counts its clusters may be wrong
	RuleCorrupt   = "corrupt"         // whoever wrote it has marked it as damaged
	RuleUnknown   = "unknown-feature" // it uses something that this package does not know, and must not be ignored
	RuleModified  = "parent-modified" // its parent is not what it was when the image was made: what it shows is garbage
	RuleEncrypted = "encrypted"       // it cannot be read without a key
	RuleMistaken  = "mistaken-format" // another image says that it is of a format which it is not
	RuleRelative  = "relative-data"   // the name of its data file is relative, which QEMU takes from wherever it was started: it is looked for beside the image
	RuleGuessed   = "guessed-format"  // its backing file has no format on record: content can pretend to be one
)

// Header is what the header of an image says.
type Header struct {
	Format   Format
	Virtual  int64 // bytes of the disk; 0: not said
	Refs     []Ref
	Points   []Point            // restore points inside of the image
	Findings []snapshot.Finding // without a path
	Broken   string             // why it cannot be read; empty: nothing is known against it

	identity string // what children know it by, for the formats that have that
}

// Ref is a reference to another file.
type Ref struct {
	Name  string // as it is written, with '/' between folders
	As    string // a word of package snapshot
	Point string // inside of the file; empty: the file itself

	format   Format // what it is on record as; empty: nothing, or what this package does not know
	identity string // what the other one's identity must be; empty: any
	foreign  bool
	memory   bool // of a machine: no disk
}

// Point is a restore point inside of an image, or a machine's.
type Point struct {
	Name    string
	Created int64 // seconds since 1970; 0: not known
	Refs    []Ref // what it needs beside the image it is in
}

// The bounds of what is read of a file.
const (
	maxName       = 1023            // bytes of a name: qcow2's own limit
	maxDescriptor = 1 << 20         // of a VMDK's text, and of libvirt's
	maxPoints     = 65_536          // of an image: qcow2's own limit
	maxTable      = 64 << 20        // bytes of its table of them
	maxDocument   = 256 << 20       // of a JSON document
	maxNode       = 64 << 20        // of one snapshot in it
	maxCreated    = 253_402_300_799 // the end of the year 9999, in seconds since 1970
)

// Read reads the header of an image of that size. What has no mark of another format is Raw. What says impossible things has
// [Header].Broken and a finding; an error is the reader's own, but for the end of the file.
func Read(r io.ReaderAt, size int64) (*Header, error) {
	p := &parser{r: r, size: size, Header: &Header{Format: Raw, Virtual: size}}
	buffer := heads.Get().(*[4096]byte)
	defer heads.Put(buffer) // nothing of it is kept: names are copied
	p.head = p.start(buffer[:])
	start := p.head[:min(len(p.head), 512)]
	switch {
	case p.err != nil:
	case bytes.HasPrefix(start, []byte("QFI\xfb")):
		p.qcow2()
	case bytes.HasPrefix(start, []byte("KDMV")), bytes.HasPrefix(start, []byte("# Disk DescriptorFile")):
		p.vmdk(start)
	case bytes.HasPrefix(start, []byte("COWD")), bytes.HasPrefix(start, []byte("\xbe\xba\xfe\xca\x00\x00\x00\x00")):
		p.Format, p.Virtual = VMDK, 0 // an extent of ESX, which its descriptor describes
	case bytes.HasPrefix(start, []byte("vhdxfile")):
		p.vhdx()
	case bytes.HasPrefix(start, []byte("conectix")), p.footer():
		p.vhd()
	case isXML(start):
		p.libvirt()
	case isDocument(start):
		p.Format, p.Virtual = JSON, 0
	}
	if p.err != nil && !errors.Is(p.err, io.EOF) && !errors.Is(p.err, io.ErrUnexpectedEOF) {
		return nil, p.err
	}
	if p.err != nil {
		p.broken("it ends before what its header says is there")
	}
	return p.Header, nil
}

// parser reads a header. After an error it reads nothing more.
type parser struct {
	*Header
	head []byte // the beginning, where most of what is wanted stands
	r    io.ReaderAt
	size int64
	err  error
}

// heads are buffers for the beginnings of files.
var heads = sync.Pool{New: func() any { return new([4096]byte) }}

// start reads as much of the beginning as there is.
func (p *parser) start(b []byte) []byte {
	b = b[:min(p.size, int64(len(b)))]
	n, err := p.r.ReadAt(b, 0)
	if n < len(b) {
		p.err = cmp.Or(err, io.ErrUnexpectedEOF)
	}
	return b[:n]
}

// bytes returns n bytes at an offset, or as many zero bytes when they are not there. They are not to be changed.
func (p *parser) bytes(at, n int64) []byte {
	if p.err == nil && at >= 0 && n >= 0 && n <= int64(len(p.head)) && at <= int64(len(p.head))-n {
		return p.head[at : at+n : at+n]
	}
	if p.err == nil && (at < 0 || n < 0 || at > p.size || n > p.size-at) {
		p.err = io.ErrUnexpectedEOF
	}
	b := make([]byte, min(max(n, 0), p.size+maxDescriptor)) // an n that is more has the error above
	if p.err == nil {
		var done int
		if done, p.err = p.r.ReadAt(b, at); done == len(b) {
			p.err = nil
		}
	}
	if p.err != nil {
		clear(b)
	}
	return b
}

func (p *parser) find(rule string, severity opsec.Severity, format string, args ...any) {
	if len(p.Findings) < 100 {
		p.Findings = append(p.Findings, snapshot.Finding{Rule: rule, Severity: severity, Text: fmt.Sprintf(format, args...)})
	}
}

// broken notes that the image cannot be read, with the first reason.
func (p *parser) broken(format string, args ...any) {
	if p.Broken == "" {
		p.Broken = fmt.Sprintf(format, args...)
		p.find(RuleHeader, opsec.SeverityHigh, "%s", p.Broken)
	}
}

// ref adds a reference. Names by protocol, and those of JSON, are not for following: a header that somebody else has written could have any
// file or address of the host read.
func (p *parser) ref(name, as, identity string) Ref {
	r := Ref{Name: strings.Clone(name), As: as, identity: identity} // which lets go of the text that the name is a part of
	if r.foreign = protocol(name); r.foreign {
		p.find(RuleForeign, opsec.SeverityHigh, "it refers to %s by protocol, which is not followed", snapshot.Quote(short(name)))
	}
	return r
}

// protocol says whether qemu would take a name for more than a path: a word with a colon after it, before any slash.
func protocol(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c == ':':
			return true
		case c == '/':
			return false
		}
	}
	return false
}

func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
