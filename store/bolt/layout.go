package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/cloudopsec/opsec/store"
)

// bbolt trusts the file that it maps: a page that leads elsewhere, a length that is too large, or a file that ends too
// early kills the process. So what has not been written by an open Driver is looked at here first, with ordinary reads.
// Numbers are in the byte order of the machine that wrote them; bbolt opens no other's files.

const (
	magic        = 0xED0CDAED
	version      = 2
	header       = 16 // of a page
	element      = 16 // of a leaf or branch page
	bucketHeader = 16
	metaBytes    = 64

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10
	bucketFlag   = 0x01 // of a leaf element

	maxDepth    = 64
	maxTreePage = 4 << 20 // bytes; the largest that our values lead to is a little over 1 MiB
)

var native = binary.NativeEndian

// layout is what the meta page of a file and its root say.
type layout struct {
	src      io.ReaderAt
	pageSize int64
	root     uint64 // the page of the buckets
	freelist uint64
	pages    uint64 // how many there are, used or not
	txid     uint64

	tree     uint64 // the root page of our bucket; 0 if inline
	inline   []byte // the page itself then
	sequence uint64
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}

// readLayout returns the layout of a regular file that is a store, as far as its first pages and its size tell.
func readLayout(f *os.File) (*layout, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, damaged("not a regular file")
	case info.Size() == 0:
		return nil, damaged("an empty file")
	}
	l, err := readMeta(f)
	if err != nil {
		return nil, err
	}
	if uint64(info.Size())/uint64(l.pageSize) < l.pages {
		return nil, damaged("%d bytes, %d pages missing", info.Size(), l.pages-uint64(info.Size())/uint64(l.pageSize))
	}
	if err := l.readRoot(); err != nil {
		return nil, err
	}
	return l, l.checkFreelist()
}

// readMeta finds the newer of the two meta pages that are whole.
func readMeta(src io.ReaderAt) (*layout, error) {
	best := readMetaAt(src, 0)
	second := best
	if best != nil {
		second = readMetaAt(src, best.pageSize)
	} else {
		for size := int64(1 << 10); size <= 1<<16 && second == nil; size <<= 1 {
			second = readMetaAt(src, size)
		}
	}
	if best == nil || second != nil && second.txid > best.txid {
		best = second
	}
	if best == nil {
		return nil, damaged("no bbolt database")
	}
	if best.pages < 4 || best.pages > 1<<62/uint64(best.pageSize) || best.root >= best.pages {
		return nil, damaged("the meta page contradicts itself")
	}
	return best, nil
}

// readMetaAt returns nil if there is no meta page.
func readMetaAt(src io.ReaderAt, off int64) *layout {
	var page [header + metaBytes]byte
	if n, _ := src.ReadAt(page[:], off); n < len(page) {
		return nil
	}
	m := page[header:]
	sum := fnv.New64a()
	sum.Write(m[:56])
	size := int64(native.Uint32(m[8:]))
	switch {
	case native.Uint16(page[8:]) != metaPage, native.Uint32(m) != magic, native.Uint32(m[4:]) != version,
		native.Uint64(m[56:]) != sum.Sum64(),
		size < 1<<10 || size > 1<<16 || size&(size-1) != 0, off != 0 && off != size:
		return nil
	}
	return &layout{
		src: src, pageSize: size,
		root: native.Uint64(m[16:]), freelist: native.Uint64(m[32:]), pages: native.Uint64(m[40:]), txid: native.Uint64(m[48:]),
	}
}

// readRoot finds our bucket, which is alone in the file.
func (l *layout) readRoot() error {
	p, err := l.page(l.root)
	if err != nil {
		return err
	}
	if p.flags != leafPage || p.count != 1 {
		return damaged("a bbolt database with %d buckets, of some other program", p.count)
	}
	flags, key, value, err := p.leaf(0)
	switch {
	case err != nil:
		return err
	case flags != bucketFlag || !bytes.HasPrefix(key, []byte(bucket[:len(bucket)-1])):
		return damaged("a bbolt database of some other program")
	case string(key) != bucket:
		return damaged("layout %q, this program knows %q", key, bucket)
	case len(value) < bucketHeader:
		return damaged("the bucket has no header")
	}
	l.tree, l.sequence = native.Uint64(value), native.Uint64(value[8:])
	if l.tree == 0 {
		l.inline = value[bucketHeader:]
	}
	return nil
}

// treePage is one page, with those that it overflows into.
type treePage struct {
	id    uint64
	flags uint16
	count int
	span  uint64 // pages
	body  []byte // from the header on
}

// page reads a page of a tree.
func (l *layout) page(id uint64) (*treePage, error) {
	if id < 2 || id >= l.pages {
		return nil, damaged("page %d of %d", id, l.pages)
	}
	var head [header]byte
	if _, err := l.src.ReadAt(head[:], int64(id)*l.pageSize); err != nil {
		return nil, missing(id, err)
	}
	p := parsePage(head[:])
	switch bytes := int64(p.span) * l.pageSize; {
	case p.id != id:
		return nil, damaged("page %d calls itself %d", id, p.id)
	case p.flags != leafPage && p.flags != branchPage:
		return nil, damaged("page %d has flags %#x", id, p.flags)
	case p.span > l.pages-id || bytes > maxTreePage:
		return nil, damaged("page %d spans %d pages", id, p.span)
	default:
		p.body = make([]byte, bytes)
	}
	if _, err := l.src.ReadAt(p.body, int64(id)*l.pageSize); err != nil {
		return nil, missing(id, err)
	}
	return p, nil
}

func parsePage(head []byte) *treePage {
	return &treePage{
		id: native.Uint64(head), flags: native.Uint16(head[8:]), count: int(native.Uint16(head[10:])),
		span: uint64(native.Uint32(head[12:])) + 1, body: head,
	}
}

func missing(id uint64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("page %d is missing", id)
	}
	return err
}

// leaf returns the i-th element of a leaf page.
func (p *treePage) leaf(i int) (flags uint32, key, value []byte, err error) {
	at := header + i*element
	if at+element > len(p.body) {
		return 0, nil, nil, damaged("page %d has no room for %d elements", p.id, p.count)
	}
	e := p.body[at:]
	pos, k, v := uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
	if pos < element || pos+k+v > uint64(len(e)) {
		return 0, nil, nil, damaged("page %d: element %d lies outside", p.id, i)
	}
	return native.Uint32(e), e[pos : pos+k], e[pos+k : pos+k+v], nil
}

// branch returns the i-th element of a branch page.
func (p *treePage) branch(i int) (key []byte, child uint64, err error) {
	at := header + i*element
	if at+element > len(p.body) {
		return nil, 0, damaged("page %d has no room for %d elements", p.id, p.count)
	}
	e := p.body[at:]
	pos, k := uint64(native.Uint32(e)), uint64(native.Uint32(e[4:]))
	if pos < element || pos+k > uint64(len(e)) {
		return nil, 0, damaged("page %d: element %d lies outside", p.id, i)
	}
	return e[pos : pos+k], native.Uint64(e[8:]), nil
}

// checkFreelist looks at the list of free pages, which bbolt reads when it opens the file.
func (l *layout) checkFreelist() error {
	if l.freelist < 2 || l.freelist >= l.pages {
		return damaged("no list of free pages")
	}
	var head [header + 8]byte
	if _, err := l.src.ReadAt(head[:], int64(l.freelist)*l.pageSize); err != nil {
		return missing(l.freelist, err)
	}
	p := parsePage(head[:])
	at, count := int64(header), uint64(p.count)
	if count == 0xFFFF {
		at, count = header+8, native.Uint64(head[header:])
	}
	if p.id != l.freelist || p.flags != freelistPage || p.span > l.pages-p.id ||
		count > l.pages || uint64(at)+count*8 > p.span*uint64(l.pageSize) {
		return damaged("the list of free pages is none")
	}
	var buf [32 << 10]byte
	list := io.NewSectionReader(l.src, int64(l.freelist)*l.pageSize+at, int64(count)*8)
	last := uint64(1)
	for left := count; left > 0; {
		some := buf[:min(left*8, uint64(len(buf)))]
		if _, err := io.ReadFull(list, some); err != nil {
			return missing(l.freelist, err)
		}
		for ; len(some) > 0; some = some[8:] {
			id := native.Uint64(some)
			if id <= last || id >= l.pages {
				return damaged("the list of free pages has %d behind %d", id, last)
			}
			last = id
			left--
		}
	}
	return nil
}

// walk looks at every page and element of the bucket, and counts the records.
func (l *layout) walk() (records int64, err error) {
	w := walker{layout: l, seen: make([]uint64, l.pages/64+1)}
	if l.tree != 0 {
		if err := w.mark(l.root, 1); err != nil {
			return 0, err
		}
		err = w.tree(l.tree, nil, maxDepth)
		return w.records, err
	}
	if len(l.inline) < header {
		return 0, damaged("the bucket has no page")
	}
	p := parsePage(l.inline)
	if p.flags != leafPage {
		return 0, damaged("the bucket's page has flags %#x", p.flags)
	}
	err = w.leaves(p)
	return w.records, err
}

type walker struct {
	*layout
	seen    []uint64 // a bit for each page
	last    []byte   // the key before
	records int64
}

// mark notes that pages have been met, each for the first time.
func (w *walker) mark(id, span uint64) error {
	for ; span > 0; id, span = id+1, span-1 {
		if w.seen[id/64]&(1<<(id%64)) != 0 {
			return damaged("page %d is used twice", id)
		}
		w.seen[id/64] |= 1 << (id % 64)
	}
	return nil
}

// tree walks a subtree whose keys begin at low.
func (w *walker) tree(id uint64, low []byte, depth int) error {
	if depth == 0 {
		return damaged("a tree deeper than %d", maxDepth)
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if err := w.mark(id, p.span); err != nil {
		return err
	}
	if p.flags == leafPage {
		if before := w.records; p.count > 0 {
			_, key, _, err := p.leaf(0)
			if err != nil {
				return err
			}
			if before > 0 && bytes.Compare(key, w.last) <= 0 || bytes.Compare(key, low) < 0 {
				return damaged("page %d: keys out of order", id)
			}
		}
		return w.leaves(p)
	}
	if p.count == 0 {
		return damaged("page %d: a branch without elements", id)
	}
	for i := range p.count {
		key, child, err := p.branch(i)
		if err != nil {
			return err
		}
		if bytes.Compare(key, low) < 0 || w.records > 0 && bytes.Compare(key, w.last) <= 0 {
			return damaged("page %d: keys out of order", id)
		}
		if err := w.tree(child, key, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// leaves looks at the records of a page.
func (w *walker) leaves(p *treePage) error {
	for i := range p.count {
		flags, key, value, err := p.leaf(i)
		if err != nil {
			return err
		}
		switch {
		case flags != 0:
			return damaged("page %d: element %d is no record", p.id, i)
		case len(key) == 0 || len(key) > store.MaxKey:
			return damaged("page %d: a key of %d bytes", p.id, len(key))
		case len(value) > revBytes+store.MaxValue:
			return damaged("page %d: a value of %d bytes", p.id, len(value))
		case w.records > 0 && bytes.Compare(key, w.last) <= 0:
			return damaged("page %d: keys out of order", p.id)
		}
		rev, err := revOf(value)
		if err != nil {
			return err
		}
		if uint64(rev) > w.sequence {
			return damaged("page %d: revision %d, the last was %d", p.id, rev, w.sequence)
		}
		w.last = append(w.last[:0], key...)
		w.records++
	}
	return nil
}
