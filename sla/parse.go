package sla

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictyaml"
	"github.com/cloudopsec/opsec/sla/credit"
)

// MaxSize is how many bytes the text of an agreement, of a sealed one or of a minimum may have.
const MaxSize = 1 << 20

// depth is how deep values may be nested.
const depth = 16

// Parse reads an agreement in YAML or JSON: one document of UTF-8 of at most [MaxSize] bytes with known fields alone, in
// their own letter case, none twice; no anchors, aliases, tags and nulls. Times and fractions need no quotes in YAML. The
// error wraps [opsec.ErrInvalid]. What the agreement says is for [Agreement.Validate] to look at, so that a draft with gaps
// can be read.
func Parse(text []byte) (*Agreement, error) {
	a := new(Agreement)
	if err := decode(text, a); err != nil {
		return nil, err
	}
	if a.Schema != Schema {
		return nil, fmt.Errorf("sla: schema: want %q: %w", Schema, opsec.ErrInvalid)
	}
	return a, nil
}

// decode reads a document into a pointer to a struct.
func decode(text []byte, into any) error {
	if len(text) > MaxSize {
		return fmt.Errorf("sla: %d bytes, want up to %d: %w", len(text), MaxSize, opsec.ErrInvalid)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	switch {
	case !utf8.Valid(text):
		return fmt.Errorf("sla: not UTF-8: %w", opsec.ErrInvalid)
	case bytes.ContainsAny(text, "\u0085\u2028\u2029"): // lines end there in YAML, and in JSON they do not
		return fmt.Errorf("sla: a line break other than CR and LF: %w", opsec.ErrInvalid)
	}
	if json.Valid(text) {
		text = pair.ReplaceAllFunc(text, character)
	}
	root, err := strictyaml.Load(text, depth)
	if err == nil {
		err = exact(root, reflect.TypeOf(into))
	}
	if err == nil {
		texts(root)
		err = strictyaml.DecodeNode(root, into)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, opsec.ErrInvalid):
		return fmt.Errorf("sla: %w", err)
	}
	return fmt.Errorf("sla: %w: %w", err, opsec.ErrInvalid)
}

// pair is a character that JSON writes as two surrogates, which YAML does not take; or a backslash, so that one which is
// escaped begins none.
var pair = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

// character returns the character of a pair.
func character(pair []byte) []byte {
	var s string
	if len(pair) == 2 || json.Unmarshal([]byte(`"`+string(pair)+`"`), &s) != nil {
		return pair
	}
	return []byte(s)
}

// exact refuses names that are no fields of a type, which the decoder would take in other letter case; numbers such as 010,
// which is 8 in YAML 1.1; and values that are not of their form, for the decoder does not say where they stand.
func exact(n *yaml.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		if err := value(n, t); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			f, ok := field(t, n.Content[i].Value)
			if !ok {
				return fmt.Errorf("line %d: %.40q is no field that is known there; letter case counts", n.Content[i].Line, n.Content[i].Value)
			}
			if err := exact(n.Content[i+1], f.Type); err != nil {
				return err
			}
		}
	case n.Kind == yaml.SequenceNode && t.Kind() != reflect.Slice:
		return fmt.Errorf("line %d: a list where none is known", n.Line)
	default: // a list, or the document
		if n.Kind == yaml.SequenceNode {
			t = t.Elem()
		}
		for _, c := range n.Content {
			if err := exact(c, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// value refuses a value that is not of its form.
func value(n *yaml.Node, t reflect.Type) error {
	if v, err := strconv.Atoi(n.Value); n.Tag == "!!int" && err == nil && strconv.Itoa(v) != n.Value {
		return errors.New("a number with a sign or a zero before it, which not all read alike")
	}
	form, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	switch kind := t.Kind(); {
	case (ok || kind == reflect.String) && (n.Tag == "!!int" || n.Tag == "!!bool"):
		return fmt.Errorf("want a text: put %.40s in quotes", n.Value)
	case ok:
		return form.UnmarshalText([]byte(n.Value))
	case kind == reflect.Bool && n.Tag != "!!bool":
		return errors.New("want true or false")
	case (kind == reflect.Int || kind == reflect.Uint64) && n.Tag != "!!int":
		return errors.New("want a whole number")
	}
	return nil
}

// texts makes texts of what YAML takes for times and fractions, so that both may stand without quotes.
func texts(n *yaml.Node) {
	if n.Tag == "!!timestamp" || n.Tag == "!!float" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		texts(c)
	}
}

// JSON returns the agreement as indented JSON, in the order of the Recommendation; [Parse] reads it back, up to [MaxSize]. The form that
// digests are made of is that of [Agreement.Canonical].
func (a *Agreement) JSON() ([]byte, error) { return indented(a.listed()) }

// listed returns the agreement without a list that JSON would write as null, which [Parse] does not take. Bands are the only
// ones that JSON does not leave out.
func (a *Agreement) listed() *Agreement {
	c := *a
	c.Credits = slices.Clone(a.Credits)
	for i := range c.Credits {
		if c.Credits[i].Bands == nil {
			c.Credits[i].Bands = []credit.Band{}
		}
	}
	return &c
}

func indented(v any) ([]byte, error) {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("sla: %w", err)
	}
	return w.Bytes(), nil
}

// YAML returns the agreement as YAML, in the order of the Recommendation; [Parse] reads it back, up to [MaxSize].
func (a *Agreement) YAML() ([]byte, error) {
	text, err := json.Marshal(a.listed())
	if err != nil {
		return nil, fmt.Errorf("sla: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	node, err := toYAML(dec)
	if err == nil {
		text, err = yaml.Dump(node)
	}
	if err != nil {
		return nil, fmt.Errorf("sla: %w", err)
	}
	return text, nil
}

// toYAML reads a value of JSON as YAML, with the order of its fields.
func toYAML(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if t == '[' {
			n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		for dec.More() {
			item, err := toYAML(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		_, err := dec.Token()
		return n, err
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: t}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	}
	return nil, fmt.Errorf("nothing that YAML could hold")
}
