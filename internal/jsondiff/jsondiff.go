// Package jsondiff says where two JSON documents differ.
package jsondiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Difference is a place at which two documents differ. A or B is nil where it is not there.
type Difference struct {
	Path string // such as "a.b[2]"
	A, B any    // text, number ([json.Number]), truth, or what one has and the other lacks
}

// Texts compares two documents. The error is of what is not one JSON value.
func Texts(a, b []byte) ([]Difference, error) {
	var doc [2]any
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&doc[i]); err != nil {
			return nil, err
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, fmt.Errorf("more than one JSON value")
		}
	}
	return differ("", doc[0], doc[1], nil), nil
}

func differ(path string, a, b any, out []Difference) []Difference {
	x, isMap := a.(map[string]any)
	y, both := b.(map[string]any)
	if isMap && both {
		names := make([]string, 0, len(x))
		for n := range x {
			names = append(names, n)
		}
		for n := range y {
			if _, ok := x[n]; !ok {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			out = differ(join(path, n), x[n], y[n], out)
		}
		return out
	}
	p, isList := a.([]any)
	q, both := b.([]any)
	if isList && both {
		for i := range max(len(p), len(q)) {
			var one, other any
			if i < len(p) {
				one = p[i]
			}
			if i < len(q) {
				other = q[i]
			}
			out = differ(fmt.Sprintf("%s[%d]", path, i), one, other, out)
		}
		return out
	}
	if isMap || isList || !plain(b) || a != b {
		out = append(out, Difference{path, a, b})
	}
	return out
}

// plain says whether a value can be compared: is no list or object.
func plain(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

func join(path, name string) string {
	if strings.ContainsAny(name, `.[]"`) || name == "" {
		name = fmt.Sprintf("%q", name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
