package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	maxDepth = 12      // of lists and objects in a document
	maxMarks = 1 << 16 // of what makes them, which the parser takes ever longer over
)

// ParseStrategy reads a strategy from YAML or JSON of up to 1 MiB. Fields that are not known or stand twice, anchors and tags are
// refused. The error wraps [opsec.ErrInvalid], or is the reader's.
func ParseStrategy(r io.Reader) (s Strategy, err error) {
	err = parse(r, &s)
	return s, err
}

// ParseProblem reads a problem as [ParseStrategy] does a strategy.
func ParseProblem(r io.Reader) (p Problem, err error) {
	if err = parse(r, &p); err == nil {
		err = p.Validate()
	}
	if err != nil {
		return Problem{}, err
	}
	return p, nil
}

func parse(r io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if len(text) > maxBytes {
		return invalid("document: more than %d bytes", maxBytes)
	}
	if n := marks(text); n > maxMarks {
		return invalid("document: %d commas, colons and brackets, want up to %d", n, maxMarks)
	}
	var root yaml.Node
	if err := yaml.Load(text, &root, yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth)))); err != nil {
		return invalid("document: %v", err)
	}
	var doc bytes.Buffer
	node := &root
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if err := toJSON(&doc, node); err != nil {
		return err
	}
	if err := strictjson.Decode(doc.Bytes(), v); err != nil {
		return invalid("document: %v", err)
	}
	return nil
}

func marks(text []byte) (n int) {
	for _, c := range text {
		switch c {
		case ',', ':', '[', ']', '{', '}':
			n++
		}
	}
	return n
}

// toJSON writes a node of YAML as JSON: lists, objects with names that are texts, texts, whole numbers and truths.
func toJSON(w *bytes.Buffer, n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return invalid("document: line %d: an anchor, an alias or a tag, which are not taken", n.Line)
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
			if key.Kind != yaml.ScalarNode || key.Tag != "!!str" || seen[key.Value] {
				return invalid("document: line %d: a field whose name is no text, or stands twice", key.Line)
			}
			seen[key.Value] = true
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
		return invalid("document: line %d: nothing that can be read", n.Line)
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
	return invalid("document: line %d: want a text, a whole decimal number, true or false", n.Line)
}

func text(w *bytes.Buffer, s string) {
	quoted, _ := json.Marshal(s) // a text can always be marshalled
	w.Write(quoted)
}
