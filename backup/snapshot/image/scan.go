package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

// The bounds of a scan. What is beyond them is a finding.
const (
	MaxFiles  = 2_000_000 // files that it looks at
	MaxListed = 4 << 20   // points inside of images, snapshots in documents, and references, of all files together

	maxPath = 8192 // bytes; who knows longer ones cannot hand them to a kernel
)

// Inventory is what a scan has found.
type Inventory struct {
	// Nodes are images, the points inside of them, and what documents list; images by their absolute paths. Every image is a restore point, but
	// for extents, data files and files of memory. The time of a file is when it was last written: the moment that it shows.
	Nodes    []snapshot.Node
	Findings []snapshot.Finding
	Files    int // whose headers were read
}

// Graph returns the graph of the nodes. What it finds is in its own findings, beside those of the scan. Errors are those of
// [snapshot.Builder.Add].
func (v *Inventory) Graph() (*snapshot.Graph, error) {
	var b snapshot.Builder
	b.Grow(len(v.Nodes), len(v.Nodes))
	for _, n := range v.Nodes {
		if err := b.Add(n); err != nil {
			return nil, err
		}
	}
	g, _ := b.Build()
	return g, nil
}

// Scan reads the headers of images: of those that are named, with all below the folders that are named, and of what they refer to. A file that is named
// opens its folder to references, and no more. Errors are of what a caller names (wrapping [opsec.ErrInvalid] where it is
// neither a file nor a folder), or the context's; all else is a finding.
//
// Regular files are opened for reading, and nothing else. Links are followed as long as they stay in the folders that were named.
func Scan(ctx context.Context, paths ...string) (*Inventory, error) {
	return (&scan{files: map[string]*file{}}).run(ctx, paths)
}

func (s *scan) run(ctx context.Context, paths []string) (_ *Inventory, err error) {
	defer func() {
		for _, p := range s.places {
			err = errors.Join(err, p.close())
		}
	}()
	for _, name := range paths {
		p, only, err := openPlace(name)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(s.places, func(q *place) bool { return q.abs == p.abs }); i >= 0 {
			if err := p.close(); err != nil {
				return nil, err
			}
			p = s.places[i]
		} else {
			s.places = append(s.places, p)
		}
		if only != "" {
			s.add(p, only, true)
		} else if err := s.walk(ctx, p, "."); err != nil {
			return nil, err
		}
	}
	for len(s.fresh) > 0 {
		wave := s.fresh
		s.fresh = nil
		if err := s.read(ctx, wave); err != nil {
			return nil, err
		}
		for _, f := range wave {
			s.follow(f)
		}
	}
	return s.inventory(), nil
}

// scan is a scan on its way.
type scan struct {
	places   []*place
	files    map[string]*file // by absolute path
	order    []*file
	fresh    []*file // not read yet
	findings []snapshot.Finding
	full     bool
	listed   atomic.Int64
	document sync.Mutex
}

// file is a file that is looked at.
type file struct {
	place *place
	name  string // below the place
	asked bool   // by the caller, or by another image: it is one, whatever its format
	part  bool   // of another image: no restore point, unless its own header says that it is more
	time  time.Time
	taken int64
	*Header
	nodes []snapshot.Node // of a document
	refs  [][]snapshot.Need
	own   []snapshot.Need
	err   error
}

func (f *file) path() string { return f.place.abs + f.name }

// add takes a file that is real: no part of its name is a link.
func (s *scan) add(p *place, name string, asked bool) *file {
	if f := s.files[p.abs+name]; f != nil {
		f.asked = f.asked || asked
		return f
	}
	return s.take(&file{place: p, name: name, asked: asked})
}

// take takes a file that nobody has named before; nil when it is more than is looked at.
func (s *scan) take(f *file) *file {
	if len(s.order) >= MaxFiles {
		if !s.full {
			s.find(f.path(), RuleUnread, opsec.SeverityHigh, "more than two million files: neither this nor what comes after it was looked at")
		}
		s.full = true
		return nil
	}
	if s.long(f.place, f.name) {
		return nil
	}
	s.files[f.path()] = f
	s.order, s.fresh = append(s.order, f), append(s.fresh, f)
	return f
}

// long says whether a path is longer than is looked at.
func (s *scan) long(p *place, name string) bool {
	long := len(p.abs)+len(name) > maxPath
	if long {
		s.find(short(p.abs+name), RuleUnread, opsec.SeverityHigh, fmt.Sprintf("a path of more than %d bytes: neither this nor what is below it was looked at", maxPath))
	}
	return long
}

func (s *scan) find(path, rule string, severity opsec.Severity, text string) {
	s.findings = append(s.findings, snapshot.Finding{Path: path, Rule: rule, Severity: severity, Text: text})
}

// walk adds the files of a folder, and of those below it.
func (s *scan) walk(ctx context.Context, p *place, dir string) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if s.full || s.long(p, dir) {
		return nil
	}
	d, err := p.enter(dir)
	if err != nil {
		s.find(path.Join(p.abs, dir), RuleUnread, opsec.SeverityMedium, err.Error())
		return nil
	}
	list, err := d.ReadDir(MaxFiles + 1) // as many as there are, for more do not count
	if err != nil && err != io.EOF {
		s.find(path.Join(p.abs, dir), RuleUnread, opsec.SeverityMedium, err.Error())
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range list {
		name := path.Join(dir, e.Name())
		switch {
		case e.Type().IsRegular():
			s.add(p, name, false)
		case e.IsDir():
			if err := s.walk(ctx, p, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads the headers of files, several at a time, folder by folder.
func (s *scan) read(ctx context.Context, files []*file) error {
	for len(files) > 0 && ctx.Err() == nil {
		p, dir, n := files[0].place, path.Dir(files[0].name), 1
		for n < len(files) && files[n].place == p && path.Dir(files[n].name) == dir {
			n++
		}
		if _, err := p.enter(dir); err != nil {
			for _, f := range files[:n] {
				f.err = err
			}
		} else {
			s.readIn(ctx, files[:n])
		}
		files = files[n:]
	}
	return context.Cause(ctx)
}

func (s *scan) readIn(ctx context.Context, files []*file) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(files)) && ctx.Err() == nil; i = next.Add(1) - 1 {
			s.readFile(files[i])
		}
	}
	var wait sync.WaitGroup
	for range min(2*runtime.GOMAXPROCS(0), (len(files)+7)/8) - 1 { // not for a few files, which are read sooner than somebody wakes up
		wait.Go(work)
	}
	work()
	wait.Wait()
}

func (s *scan) readFile(f *file) {
	if f.Header != nil {
		return // by peek
	}
	r, err := f.place.openIn(path.Base(f.name))
	if err != nil {
		f.err = err
		return
	}
	defer r.Close() // it was read only
	f.time, f.taken = r.time, r.taken
	if f.Header, f.err = Read(r, r.size); f.err == nil && f.Format == JSON {
		s.document.Lock() // one at a time: they can be large
		f.nodes, err = Document(io.NewSectionReader(r, 0, r.size))
		s.document.Unlock()
		if err != nil {
			f.Broken = err.Error()
			f.Findings = append(f.Findings, snapshot.Finding{Rule: RuleHeader, Severity: opsec.SeverityMedium, Text: f.Broken})
		}
	}
	if f.err == nil && s.listed.Add(f.listed()) > MaxListed {
		f.Refs, f.Points, f.nodes = nil, nil, nil
		f.Broken = fmt.Sprintf("what is listed in it is more than a scan takes, which is %d of all files together", MaxListed)
		f.Findings = append(f.Findings, snapshot.Finding{Rule: RuleUnread, Severity: opsec.SeverityHigh, Text: f.Broken})
	}
}

// listed counts what is listed in a file.
func (f *file) listed() int64 {
	n := len(f.Refs) + len(f.Points) + len(f.nodes)
	for _, p := range f.Points {
		n += len(p.Refs)
	}
	for _, node := range f.nodes {
		n += len(node.Needs)
	}
	return int64(n)
}

// follow resolves what a file refers to.
func (s *scan) follow(f *file) {
	if f.Header == nil {
		return
	}
	for _, r := range f.Refs {
		f.own = append(f.own, s.resolve(f, r))
	}
	for _, p := range f.Points {
		var needs []snapshot.Need
		for _, r := range p.Refs {
			needs = append(needs, s.resolve(f, r))
		}
		f.refs = append(f.refs, needs)
	}
}

// resolve returns what a reference needs. Where it leads nowhere that may be looked at, that is a node which nobody has.
func (s *scan) resolve(f *file, r Ref) snapshot.Need {
	name, point := r.Name, ""
	if r.Point != "" {
		point = pointMark + r.Point
	}
	if r.foreign || len(r.Name) > 4*maxName {
		return snapshot.Need{ID: short(r.Name) + point, As: r.As}
	}
	if !path.IsAbs(name) {
		name = path.Dir(f.path()) + "/" + name
	}
	found, err := s.locate(name)
	if err != nil {
		rule := ""
		switch {
		case errors.Is(err, errOutside):
			rule = RuleOutside
		case errors.Is(err, errNotAFile):
			rule = RuleNotAFile
		case !errors.Is(err, fs.ErrNotExist): // which the graph tells
			rule = RuleUnread
		}
		if rule != "" {
			s.find(f.path(), rule, opsec.SeverityHigh, "it refers to "+snapshot.Quote(short(r.Name))+": "+err.Error())
		}
		if clean := path.Clean(name); s.files[clean] == nil { // else a link, or a file in a folder's place, lets it lead elsewhere
			name = clean
		}
		return snapshot.Need{ID: name + point, As: r.As}
	}
	found.asked = true
	found.part = found.part || r.memory || r.As == snapshot.AsExtent || r.As == snapshot.AsDataFile
	return snapshot.Need{ID: found.path() + point, As: r.As}
}

// locate finds a file by its absolute path in one of the places.
func (s *scan) locate(name string) (*file, error) {
	if f := s.files[name]; f != nil {
		return f, nil
	}
	f := s.peek(name)
	if f == nil {
		p, below, err := real(s.places, name)
		if err != nil {
			return nil, err
		}
		f = s.add(p, below, true)
	} else {
		f = s.take(f)
	}
	if f == nil {
		return nil, errors.New("it is more than a scan looks at")
	}
	return f, nil
}

// peek reads a file of the folder that was entered last. One that can be opened there is no link, so that its name is real as it stands, without a look
// at each step of it. Nil is for whatever else it may be.
func (s *scan) peek(name string) *file {
	for _, p := range s.places {
		below, ok := strings.CutPrefix(name, p.abs)
		if !ok || !opensNoLink || p.here == nil || path.Dir(below) != p.folder || path.Clean(below) != below {
			continue
		}
		f := &file{place: p, name: below, asked: true}
		if s.readFile(f); f.err == nil {
			return f
		}
	}
	return nil
}

// inventory makes nodes of the files.
func (s *scan) inventory() *Inventory {
	v := &Inventory{Findings: s.findings}
	for _, f := range s.order {
		id := f.path()
		if f.err != nil || f.Header == nil {
			text := cmp.Or(f.err, errors.New("it was not read")).Error()
			severity := opsec.SeverityMedium // whatever it is
			switch {
			case f.asked:
				v.Nodes = append(v.Nodes, snapshot.Node{ID: id, Broken: text})
				severity = opsec.SeverityHigh
			case errors.Is(f.err, fs.ErrNotExist), errors.Is(f.err, errNotAFile):
				continue // it is gone since its folder was read
			}
			v.Findings = append(v.Findings, snapshot.Finding{Path: id, Rule: RuleUnread, Severity: severity, Text: text})
			continue
		}
		v.Files++
		if f.Format == Raw && !f.asked {
			continue
		}
		for _, found := range f.Findings {
			found.Path = id
			v.Findings = append(v.Findings, found)
		}
		switch f.Format {
		case JSON:
			v.Nodes = append(v.Nodes, f.nodes...)
		case Libvirt:
		default:
			v.Nodes = append(v.Nodes, s.node(f, v))
		}
		for i, p := range f.Points {
			n := snapshot.Node{ID: id + pointMark + p.Name, Format: string(f.Format), Restore: true, Needs: f.refs[i]}
			if f.Format != Libvirt {
				n.Needs = append(n.Needs, snapshot.Need{ID: id, As: snapshot.AsContains})
			}
			if p.Created > 0 {
				n.Created = time.Unix(p.Created, 0).UTC()
			}
			v.Nodes = append(v.Nodes, n)
		}
	}
	return v
}

// node makes the node of an image, and looks whether its parent is still the one that it was made of.
func (s *scan) node(f *file, v *Inventory) snapshot.Node {
	n := snapshot.Node{
		ID: f.path(), Format: string(f.Format), Needs: f.own, Restore: !f.part || f.whole(), Created: f.time, Size: f.taken, Virtual: f.Virtual,
		Broken: f.Broken,
	}
	for i, r := range f.Refs {
		parent := s.files[f.own[i].ID]
		if text := r.mistaken(parent); text != "" {
			v.Findings = append(v.Findings, snapshot.Finding{Path: n.ID, Rule: RuleMistaken, Severity: opsec.SeverityHigh, Text: text})
			if n.Broken == "" && r.format != Raw {
				n.Broken = text
			}
		}
		if r.identity == "" || parent == nil || parent.Header == nil || parent.identity == r.identity {
			continue
		}
		text := "its parent was changed since: it is " + short(cmp.Or(parent.identity, "of another format")) + ", and was " + short(r.identity)
		v.Findings = append(v.Findings, snapshot.Finding{Path: n.ID, Rule: RuleModified, Severity: opsec.SeverityCritical, Text: text})
		if n.Broken == "" {
			n.Broken = text
		}
	}
	return n
}

// whole says whether a file is an image by its header. That another one calls it its data file or its extent does not change that: any header could, of
// any file.
func (f *file) whole() bool {
	return f.Format != Raw && !(f.Format == VMDK && f.identity == "") // an extent has no content id
}

// mistaken says whether a file is something else than the image that refers to it says.
func (r Ref) mistaken(f *file) string {
	if r.format == "" || f == nil || f.Header == nil || f.Format == r.format {
		return ""
	}
	text := fmt.Sprintf("it takes %s for %s, and its header is of %s", snapshot.Quote(short(r.Name)), r.format, f.Format)
	if r.format == Raw {
		text += ": a guest can have written that"
	}
	return text
}
