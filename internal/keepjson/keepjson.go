// Package keepjson keeps the fields of a JSON object that the program which rewrites it does not know.
package keepjson

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Fields are the JSON names that a struct type knows, in lower case as encoding/json compares them, with those of the
// structs inside it.
type Fields struct{ of map[string]*Fields }

// Carry returns the object next with what only old has and the type does not know. Objects inside are treated alike,
// elements of lists and of maps are not: theirs is no identity to go by.
func (f *Fields) Carry(old, next []byte) ([]byte, error) {
	if old = bytes.TrimSpace(old); len(old) == 0 || old[0] != '{' || len(next) == 0 || next[0] != '{' {
		return next, nil
	}
	var was map[string]json.RawMessage
	if err := json.Unmarshal(old, &was); err != nil {
		return nil, err
	}
	var now map[string]json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(was)) {
		inner, known := f.of[strings.ToLower(name)]
		if known && inner == nil {
			continue
		}
		if now == nil {
			if err := json.Unmarshal(next, &now); err != nil {
				return nil, err
			}
		}
		have, there := now[name]
		switch {
		case !known && !there:
			now[name] = was[name]
		case known && there:
			merged, err := inner.Carry(was[name], have)
			if err != nil {
				return nil, err
			}
			now[name] = merged
		}
	}
	if now == nil {
		return next, nil
	}
	return json.Marshal(now)
}

// Of returns the fields of a type, or nil when it is no struct or writes its JSON itself.
func Of(t reflect.Type) *Fields {
	return fieldsWithin(t, map[reflect.Type]*Fields{})
}

// fieldsWithin returns nil for what is not an object with fields of its own. A type inside itself is found again.
func fieldsWithin(t reflect.Type, seen map[reflect.Type]*Fields) *Fields {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	marshaler := reflect.TypeFor[json.Marshaler]()
	if t.Kind() != reflect.Struct || t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler) {
		return nil
	}
	if f := seen[t]; f != nil {
		return f
	}
	f := &Fields{of: map[string]*Fields{}}
	seen[t] = f
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" && field.Tag.Get("json") == "-" || !field.IsExported() || field.Anonymous && name == "" && isStruct(field.Type) {
			continue // the fields of an embedded struct are visible by themselves
		}
		if name == "" {
			name = field.Name
		}
		f.of[strings.ToLower(name)] = fieldsWithin(field.Type, seen)
	}
	return f
}

func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}
