// Package strictyaml reads YAML as data of known fields and no more, JSON included: no anchors, aliases and tags, no names that stand twice,
// and nothing that a few bytes could make large.
package strictyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// maxMarks is how many commas and brackets there may be: they make nodes of 200 bytes each, ever slower, out of two bytes.
const maxMarks = 1 << 16

// Load parses a document whose nodes are nested no deeper than that. What nodes are is for the caller to look at. The size of the text is the
// caller's to bound. An error of the parser is a [*yaml.LoadError].
func Load(text []byte, depth int) (*yaml.Node, error) {
	marks := 0
	for _, c := range text {
		switch c {
		case ',', '[', ']', '{', '}':
			marks++
		}
	}
	if marks > maxMarks {
		return nil, fmt.Errorf("%d commas and brackets, want up to %d", marks, maxMarks)
	}
	var root yaml.Node
	if err := yaml.Load(text, &root, yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(depth)))); err != nil {
		return nil, err
	}
	return &root, nil
}

// Decode loads a document and reads it into v as [strictjson.Decode] would: lists, objects with names that are texts, texts, whole numbers
// and truths.
func Decode(text []byte, depth int, v any) error {
	node, err := Load(text, depth)
	if err != nil {
		return err
	}
	return DecodeNode(node, v)
}

// DecodeNode reads what [Load] has loaded into v, as [Decode] does.
func DecodeNode(node *yaml.Node, v any) error {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	var doc bytes.Buffer
	if err := toJSON(&doc, node); err != nil {
		return err
	}
	return strictjson.Decode(doc.Bytes(), v)
}

// toJSON writes a node of YAML as JSON: lists, objects with names that are texts, texts, whole numbers and truths.
func toJSON(w *bytes.Buffer, n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return fmt.Errorf("line %d: an anchor, an alias or a tag, which are not taken", n.Line)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		w.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := toJSON(w, item); err != nil {
				return err
			}
		}
		w.WriteByte(']')
	case yaml.MappingNode:
		seen := map[string]bool{}
		w.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			// Package json takes a field in other letter case for the same, and the last one counts.
			name := strings.ToLower(strings.ToUpper(key.Value))
			if key.Kind != yaml.ScalarNode || key.Tag != "!!str" || seen[name] {
				return fmt.Errorf("line %d: a field whose name is no text, or stands twice, maybe in other letter case", key.Line)
			}
			seen[name] = true
			if i > 0 {
				w.WriteByte(',')
			}
			text(w, key.Value)
			w.WriteByte(':')
			if err := toJSON(w, n.Content[i+1]); err != nil {
				return err
			}
		}
		w.WriteByte('}')
	case yaml.ScalarNode:
		return scalar(w, n)
	default:
		return fmt.Errorf("line %d: nothing that can be read", n.Line)
	}
	return nil
}

func scalar(w *bytes.Buffer, n *yaml.Node) error {
	switch n.Tag {
	case "!!str":
		text(w, n.Value)
		return nil
	case "!!int":
		if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			w.WriteString(strconv.FormatInt(v, 10))
			return nil
		}
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			w.WriteString(n.Value)
			return nil
		}
	}
	return fmt.Errorf("line %d: want a text, a whole decimal number, true or false", n.Line)
}

func text(w *bytes.Buffer, s string) {
	quoted, _ := json.Marshal(s) // a text can always be marshalled
	w.Write(quoted)
}
