package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/cloudopsec/opsec/internal/keepjson"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// Upgrade turns the JSON of a record of one version into that of the next. It is a pure function of its input, and
// stays in the program as long as records of the old version may be in a store.
type Upgrade func(old json.RawMessage) (json.RawMessage, error)

// codec writes values of T as versioned JSON, and reads them back.
type codec[T any] struct {
	name     string
	upgrades []Upgrade
	known    *keepjson.Fields // of T; nil when T writes its JSON itself or is no struct
}

func newCodec[T any](name string, upgrades []Upgrade) codec[T] {
	return codec[T]{name: name, upgrades: upgrades, known: keepjson.Of(reflect.TypeFor[T]())}
}

// version is what this program writes: 1 without upgrades.
func (c *codec[T]) version() int { return len(c.upgrades) + 1 }

// record is a payload, taken apart.
type record struct {
	stamp.Header
	body []byte // JSON
}

func (r record) payload() []byte { return r.Append(make([]byte, 0, 16+len(r.body)), r.body) }

// parse takes a payload apart and brings its JSON to the version of this program.
func (c *codec[T]) parse(payload []byte) (r record, err error) {
	h, body, ok := stamp.Cut(payload)
	r = record{h, body}
	if !ok {
		return r, &CorruptError{Collection: c.name, Reason: "has no record header"}
	}
	if r.Version > c.version() {
		return r, &VersionError{Collection: c.name, Version: r.Version, Known: c.version()}
	}
	for ; r.Version < c.version(); r.Version++ {
		body, err := c.upgrades[r.Version-1](slices.Clone(r.body))
		if err != nil {
			return r, fmt.Errorf("store: %s: upgrade of a record from version %d: %w", c.name, r.Version, err)
		}
		r.body = body
	}
	return r, nil
}

func (c *codec[T]) decode(r record) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(r.body, v); err != nil {
		return nil, &CorruptError{Collection: c.name, Reason: "does not decode"} // json's error would show content
	}
	return v, nil
}

// encode returns the record of v. Fields of the old record, if there is one, that T does not know are kept: a newer
// program has written them.
func (c *codec[T]) encode(v *T, old *record, at stamp.Stamp) (record, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return record{}, invalid("%s: a record does not encode: %v", c.name, err)
	}
	if old != nil && c.known != nil {
		if body, err = c.known.Carry(old.body, body); err != nil {
			return record{}, &CorruptError{Collection: c.name, Reason: "does not decode"}
		}
	}
	return record{stamp.Header{Version: c.version(), Stamp: at}, body}, nil
}
