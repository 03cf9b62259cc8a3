package filetree

import (
	"io/fs"
	"slices"
	"strings"
)

// Node is one place of a tree, as listed and not yet opened.
type Node struct {
	Path string
	In   *Folder     // the folder it stands in; held until done is called
	Name string      // its name there
	Type fs.FileMode // its type bits
	Err  error       // a directory that could not be entered or listed; Type is ModeDir then
}

// Walk yields the places of a tree by the byte order of their paths, those after the path given alone. It needs memory
// for the listings of the directories on the way down, not for the tree. Directories come before what is in them; one
// that cannot be listed comes a second time, with the error. yield owns the hold on node.In and must release it.
func Walk(top *Folder, after string, yield func(Node) bool) {
	walkFolder(top, "", after, yield)
}

// walkFolder walks f, all of whose paths begin with prefix; it reports whether to go on.
func walkFolder(f *Folder, prefix, after string, yield func(Node) bool) bool {
	entries, err := f.List()
	if err != nil {
		return yield(Node{Path: strings.TrimSuffix(prefix, "/"), In: f.Hold(), Type: fs.ModeDir, Err: err})
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
			if !yield(Node{Path: path, In: f.Hold(), Name: name, Type: s.typ}) {
				return false
			}
			continue
		}
		sub, err := f.Enter(name)
		if err != nil {
			if !yield(Node{Path: prefix + name, In: f.Hold(), Name: name, Type: s.typ, Err: err}) {
				return false
			}
			continue
		}
		more := walkFolder(sub, path, after, yield)
		sub.Release()
		if !more {
			return false
		}
	}
	return true
}
