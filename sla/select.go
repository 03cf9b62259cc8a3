package sla

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// step is a name in a path, with what it takes of a list.
type step struct {
	text  string // as it stands in the path
	name  string
	all   bool        // [*]
	index int         // [3]; -1 where there is none
	where [][2]string // [measure=recovery,severity=critical]
}

// maxPath is how long the text of a path may be.
const maxPath = 256

// parsePath reads a path such as "clause.emergency.targets[measure=acceptance,severity=critical].each".
func parsePath(text string) ([]step, error) {
	bad := func(why string) ([]step, error) {
		return nil, fmt.Errorf("path: %s", why)
	}
	if text == "" || len(text) > maxPath {
		return bad(fmt.Sprintf("want 1 to %d bytes", maxPath))
	}
	var out []step
	for rest, more := text, true; more; {
		end := strings.IndexAny(rest, ".[")
		s := step{name: rest, index: -1}
		if end >= 0 {
			s.name = rest[:end]
		}
		s.text = s.name
		if s.name == "" {
			return bad("a name is empty")
		}
		if rest = rest[len(s.name):]; strings.HasPrefix(rest, "[") {
			in, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return bad("a bracket is not closed")
			}
			rest, s.text = after, s.name+"["+in+"]"
			switch {
			case in == "*":
				s.all = true
			case strings.Contains(in, "="):
				for pair := range strings.SplitSeq(in, ",") {
					field, value, ok := strings.Cut(pair, "=")
					if !ok || field == "" || value == "" {
						return bad("want [field=value,...] in brackets")
					}
					s.where = append(s.where, [2]string{field, value})
				}
			default:
				i, err := strconv.ParseUint(in, 10, 16)
				if err != nil || in != strconv.FormatUint(i, 10) {
					return bad("want [*], a number or [field=value,...] in brackets")
				}
				s.index = int(i)
			}
		}
		out = append(out, s)
		if more = rest != ""; more {
			if !strings.HasPrefix(rest, ".") {
				return bad("want a dot behind a bracket")
			}
			rest = rest[1:]
			if rest == "" {
				return bad("a name is empty")
			}
		}
	}
	return out, nil
}

// field returns a field of a struct by its name in JSON.
func field(t reflect.Type, want string) (reflect.StructField, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && !leaf(t) {
		for f := range t.Fields() {
			if f.IsExported() && name(f) == want {
				return f, true
			}
		}
	}
	return reflect.StructField{}, false
}

// typeAt returns the type that a path leads to from t.
func typeAt(t reflect.Type, steps []step) (reflect.Type, error) {
	for _, s := range steps {
		f, ok := field(t, s.name)
		if !ok {
			return nil, fmt.Errorf("path: an agreement has no %q there", s.name)
		}
		t = f.Type
		if !s.all && s.index < 0 && s.where == nil {
			continue
		}
		if t.Kind() != reflect.Slice || leaf(t) {
			return nil, fmt.Errorf("path: %q is no list", s.name)
		}
		t = t.Elem()
		for _, w := range s.where {
			if f, ok := field(t, w[0]); !ok || f.Type.Kind() != reflect.String {
				return nil, fmt.Errorf("path: no text %q of %q", w[0], s.name)
			}
		}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, nil
}

// found is a place that a path leads to.
type found struct {
	path   string
	value  reflect.Value // none where the path ends too early: at a nil pointer, or a list without such an item
	stated bool          // a text, duration, ratio or time that is zero and not pointed to states nothing
}

// find returns the places that a path, which [typeAt] took, leads to from v: one at least for each item of each list.
func find(v reflect.Value, path string, steps []step) []found {
	stated := true
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nowhere(path, steps)
		}
		v = v.Elem()
	} else if v.Type() == durationType || !v.CanInt() && !v.CanUint() && v.Kind() != reflect.Bool {
		stated = !v.IsZero()
	}
	if len(steps) == 0 {
		return []found{{path, v, stated}}
	}
	s, above := steps[0], path
	f, ok := field(v.Type(), s.name)
	if !ok {
		return nowhere(path, steps)
	}
	v, path = v.FieldByIndex(f.Index), join(path, s.name)
	if !s.all && s.index < 0 && s.where == nil {
		return find(v, path, steps[1:])
	}
	var out []found
	for i := range v.Len() {
		item := v.Index(i)
		if s.index >= 0 && i != s.index || !matches(item, s.where) {
			continue
		}
		out = append(out, find(item, fmt.Sprintf("%s[%d]", path, i), steps[1:])...)
	}
	if out == nil {
		return nowhere(above, steps)
	}
	return out
}

// nowhere is the place of a path that ends too early.
func nowhere(path string, steps []step) []found {
	for _, s := range steps {
		path = join(path, s.text)
	}
	return []found{{path: path}}
}

func matches(item reflect.Value, where [][2]string) bool {
	for _, w := range where {
		f, ok := field(item.Type(), w[0])
		if !ok || item.FieldByIndex(f.Index).String() != w[1] {
			return false
		}
	}
	return true
}
