package catalogue

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictyaml"
)

const maxDepth = 8 // of nodes within nodes; the form has five

// SyntaxError says what is wrong in a catalogue, and where. It wraps [opsec.ErrInvalid].
type SyntaxError struct {
	Line int // of the file, from 1; 0 when there is none
	What string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("catalogue: %s: %v", e.What, opsec.ErrInvalid)
	}
	return fmt.Sprintf("catalogue: line %d: %s: %v", e.Line, e.What, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *SyntaxError) Unwrap() error { return opsec.ErrInvalid }

// Parse reads a catalogue in the form that the package documents, JSON included. The error is a [*SyntaxError] about the
// first thing that is wrong, or wraps that of the reader.
func Parse(r io.Reader) (*Catalogue, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, &SyntaxError{What: fmt.Sprintf("more than %d bytes", MaxBytes)}
	}
	root, err := strictyaml.Load(text, maxDepth)
	if err != nil {
		return nil, notYAML(err)
	}
	var f form
	c, places := f.catalogue(root)
	if f.err != nil {
		return nil, f.err
	}
	if err := c.check(places); err != nil {
		return nil, err
	}
	return c, nil
}

func notYAML(err error) error {
	var at *yaml.LoadError
	if errors.As(err, &at) {
		return &SyntaxError{Line: at.Mark.Line, What: at.Message}
	}
	return &SyntaxError{What: err.Error()}
}

// places are the lines of what is in a file.
type places struct {
	top                      int
	categories, requirements []int
}

// of returns the i-th line of a list, or 0 when there is no file.
func (p places) of(list []int, i int) int {
	if i < len(list) {
		return list[i]
	}
	return 0
}

// form reads nodes as what the form says they are. The first error stays, and what is read after it is of no use.
type form struct{ err error }

func (f *form) fail(n *yaml.Node, format string, args ...any) {
	if f.err == nil {
		f.err = &SyntaxError{Line: n.Line, What: fmt.Sprintf(format, args...)}
	}
}

// is reports whether a node is of a kind, and nothing but that.
func (f *form) is(n *yaml.Node, kind yaml.Kind, want string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		f.fail(n, "an anchor or an alias, which are not taken")
	case n.Style&yaml.TaggedStyle != 0:
		f.fail(n, "a tag, which is not taken")
	case n.Kind != kind:
		f.fail(n, "want %s", want)
	}
	return f.err == nil
}

func (f *form) text(n *yaml.Node) string {
	if f.is(n, yaml.ScalarNode, "a text") && n.Tag == "!!null" {
		f.fail(n, "want a text; nothing is there")
	}
	return n.Value
}

func (f *form) list(n *yaml.Node, each func(*yaml.Node)) {
	if !f.is(n, yaml.SequenceNode, "a list") {
		return
	}
	for _, item := range n.Content {
		each(item)
	}
}

func (f *form) texts(n *yaml.Node) (all []string) {
	f.list(n, func(item *yaml.Node) { all = append(all, f.text(item)) })
	return all
}

// pairs calls each for every field of a mapping, whose names are texts and different.
func (f *form) pairs(n *yaml.Node, each func(name string, key, value *yaml.Node)) {
	if !f.is(n, yaml.MappingNode, "fields") {
		return
	}
	seen := map[string]bool{}
	for pair := range slices.Chunk(n.Content, 2) {
		name := f.text(pair[0])
		if seen[name] {
			f.fail(pair[0], "field %.40q: a second time", name)
		}
		if f.err != nil {
			return
		}
		seen[name] = true
		each(name, pair[0], pair[1])
	}
}

// fields reads a mapping that has known fields alone.
func (f *form) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	f.pairs(n, func(name string, key, value *yaml.Node) {
		read, ok := known[name]
		if !ok {
			f.fail(key, "field %.40q: not in the form", name)
			return
		}
		read(value)
	})
}

func (f *form) into(s *string) func(*yaml.Node) { return func(n *yaml.Node) { *s = f.text(n) } }

func (f *form) catalogue(n *yaml.Node) (*Catalogue, places) {
	c, p := &Catalogue{}, places{}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	p.top = n.Line
	f.fields(n, map[string]func(*yaml.Node){
		"id": f.into(&c.ID), "title": f.into(&c.Title), "version": f.into(&c.Version), "source": f.into(&c.Source),
		"categories": func(n *yaml.Node) {
			f.list(n, func(item *yaml.Node) {
				c.Categories, p.categories = append(c.Categories, f.category(item)), append(p.categories, item.Line)
			})
		},
		"requirements": func(n *yaml.Node) {
			f.list(n, func(item *yaml.Node) {
				c.Requirements = append(c.Requirements, f.requirement(item))
				p.requirements = append(p.requirements, item.Line)
			})
		},
	})
	return c, p
}

func (f *form) category(n *yaml.Node) (k Category) {
	f.fields(n, map[string]func(*yaml.Node){
		"id": f.into(&k.ID), "title": f.into(&k.Title), "requirement": f.into(&k.Requirement),
	})
	return k
}

func (f *form) requirement(n *yaml.Node) (r Requirement) {
	f.fields(n, map[string]func(*yaml.Node){
		"id": f.into(&r.ID), "clause": f.into(&r.Clause), "title": f.into(&r.Title), "text": f.into(&r.Text),
		"categories": func(n *yaml.Node) { r.Categories = f.texts(n) },
		"refs": func(n *yaml.Node) {
			f.pairs(n, func(framework string, _, ids *yaml.Node) {
				for _, id := range f.texts(ids) {
					r.Refs = append(r.Refs, Ref{Framework: framework, ID: id})
				}
			})
		},
	})
	return r
}
