package openslo

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Of commas and brackets there may be maxMarks, and of dashes and colons twice as many: each makes nodes of 200 bytes out of two.
const maxMarks = 1 << 16

// load parses a stream of documents, with nothing in them that a few bytes could make large.
func load(text []byte) ([]*yaml.Node, error) {
	if len(text) > MaxSize {
		return nil, invalid("%d bytes, want up to %d", len(text), MaxSize)
	}
	marks, ends := 0, 0
	for i, c := range text {
		switch c {
		case ',', '[', ']', '{', '}':
			marks += 2
		case '-', '?', ':', '.':
			if i+1 < len(text) && text[i+1] > ' ' {
				continue
			}
			if marks++; i >= 2 && text[i-1] == c && text[i-2] == c {
				ends++ // maybe of a document: "---" or "..."
			}
		}
	}
	if marks > 2*maxMarks {
		return nil, invalid("want up to %d commas and brackets, or twice as many dashes and colons", maxMarks)
	}
	if ends > 4*MaxDocuments {
		return nil, invalid("want up to %d documents", MaxDocuments)
	}
	var docs []yaml.Node
	limit := yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(depth)))
	if err := yaml.Load(text, &docs, yaml.WithAllDocuments(), limit); err != nil {
		return nil, invalid("%w", err)
	}
	if len(docs) > MaxDocuments {
		return nil, invalid("%d documents, want up to %d", len(docs), MaxDocuments)
	}
	var out []*yaml.Node
	for i := range docs {
		n := &docs[i]
		if n.Kind == yaml.DocumentNode {
			if len(n.Content) != 1 {
				continue
			}
			n = n.Content[0]
		}
		if null(n) {
			continue // a document with nothing but comments
		}
		if err := plain(n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// plain refuses anchors, aliases, tags, and names that are no texts or stand twice. It takes comments and styles off.
func plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return invalid("line %d: an anchor, an alias or a tag, which are not taken", n.Line)
	}
	n.HeadComment, n.LineComment, n.FootComment, n.Style = "", "", "", 0
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag != "!!str" || seen[key.Value] {
				return invalid("line %d: a name that is no text, or stands twice", key.Line)
			}
			seen[key.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := plain(c); err != nil {
			return err
		}
	}
	return nil
}

func null(n *yaml.Node) bool { return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// object is a mapping that is read field by field. What was not asked for is lost.
type object struct {
	path string
	node *yaml.Node
	read map[string]bool
}

func newObject(path string, n *yaml.Node) (*object, error) {
	if n != nil && n.Kind != yaml.MappingNode {
		return nil, invalid("%s: line %d: want fields", path, n.Line)
	}
	return &object{path, n, map[string]bool{}}, nil
}

// get returns the value of a field, or nil if it is missing or null.
func (o *object) get(name string) *yaml.Node {
	o.read[name] = true
	if o.node == nil {
		return nil
	}
	for i := 0; i+1 < len(o.node.Content); i += 2 {
		if o.node.Content[i].Value == name && !null(o.node.Content[i+1]) {
			return o.node.Content[i+1]
		}
	}
	return nil
}

func (o *object) at(name string) string { return o.path + "." + name }

// object returns the value of a field with fields of its own; one that is missing has none.
func (o *object) object(name string) (*object, error) { return newObject(o.at(name), o.get(name)) }

// list returns the values of a field that is a list; one that is missing has none.
func (o *object) list(name string) ([]*yaml.Node, error) {
	n := o.get(name)
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, invalid("%s: line %d: want a list", o.at(name), n.Line)
	}
	return n.Content, nil
}

// text returns the value of a field that is one value, as it stands.
func (o *object) text(name string) (string, error) {
	n := o.get(name)
	if n == nil {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode || len(n.Value) > maxText {
		return "", invalid("%s: line %d: want a text of up to %d bytes", o.at(name), n.Line, maxText)
	}
	return n.Value, nil
}

// maxText is how long a text may be.
const maxText = 1050

// lost reports what was not asked for, in its order.
func (o *object) lost(report func(path, text string)) {
	if o.node == nil {
		return
	}
	for i := 0; i+1 < len(o.node.Content); i += 2 {
		if name := o.node.Content[i].Value; !o.read[name] {
			report(o.path+"."+clip(name), "there is no place for it")
		}
	}
}

// clip keeps names of others short, and in a line.
func clip(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// dump writes a value as YAML.
func dump(n *yaml.Node) (string, error) {
	text, err := yaml.Dump(n)
	if err != nil {
		return "", invalid("line %d: %w", n.Line, err)
	}
	return string(text), nil
}
