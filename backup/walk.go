package backup

import (
	"io/fs"
	"slices"
	"strings"
)

// node is one place of a tree, as listed and not yet opened.
type node struct {
	path string
	in   *folder     // the folder it stands in; held until done is called
	name string      // its name there
	typ  fs.FileMode // its type bits
	err  error       // a directory that could not be entered or listed; typ is ModeDir then
}

// walk yields the places of a tree by the byte order of their paths, those after the path given alone. It needs memory
// for the listings of the directories on the way down, not for the tree. Directories come before what is in them; one
// that cannot be listed comes a second time, with the error. yield owns the hold on node.in and must release it.
func walk(top *folder, after string, yield func(node) bool) {
	walkFolder(top, "", after, yield)
}

// walkFolder walks f, all of whose paths begin with prefix; it reports whether to go on.
func walkFolder(f *folder, prefix, after string, yield func(node) bool) bool {
	entries, err := f.list()
	if err != nil {
		return yield(node{path: strings.TrimSuffix(prefix, "/"), in: f.hold(), typ: fs.ModeDir, err: err})
	}
	// A directory appears twice: under its name, as an entry, and under its name and a slash, as all that is in it.
	// Sorted together, both fall where the byte order of whole paths wants them: "a", "a-b", "a/c".
	type step struct {
		key string
		typ fs.FileMode
	}
	steps := make([]step, 0, len(entries))
	for _, e := range entries {
		typ := e.Type()
		steps = append(steps, step{e.Name(), typ})
		if typ.IsDir() {
			steps = append(steps, step{e.Name() + "/", typ})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return strings.Compare(a.key, b.key) })
	for _, s := range steps {
		path := prefix + s.key
		name, inside := strings.CutSuffix(s.key, "/")
		switch {
		case path <= after && (!inside || !strings.HasPrefix(after, path)):
			continue // seen before
		case !inside:
			if !yield(node{path: path, in: f.hold(), name: name, typ: s.typ}) {
				return false
			}
			continue
		}
		sub, err := f.enter(name)
		if err != nil {
			if !yield(node{path: prefix + name, in: f.hold(), name: name, typ: s.typ, err: err}) {
				return false
			}
			continue
		}
		more := walkFolder(sub, path, after, yield)
		sub.release()
		if !more {
			return false
		}
	}
	return true
}
