// Package codec writes values as versioned JSON with a header, and reads them back.
package codec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/keepjson"
	"github.com/cloudopsec/opsec/internal/stamp"
)

// Codec is that of a type.
type Codec[T any] struct {
	upgrades []func(json.RawMessage) (json.RawMessage, error)
	known    *keepjson.Fields // of T; nil when T writes its JSON itself or is no struct
}

// Record is a payload, taken apart.
type Record struct {
	stamp.Header
	Body []byte // JSON
}

// Payload puts the record together.
func (r Record) Payload() []byte { return r.Append(make([]byte, 0, 16+len(r.Body)), r.Body) }

// WrongError is what is wrong with a payload. It does not show the content.
type WrongError string

func (e WrongError) Error() string { return "it " + string(e) }

// NewerError says that a record is of a version that is not known yet.
type NewerError struct{ Version, Known int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("version %d, known is %d", e.Version, e.Known)
}

// New returns a codec. Upgrades lead from one version to the next, from 1 on.
func New[T any, U ~func(json.RawMessage) (json.RawMessage, error)](upgrades []U) Codec[T] {
	c := Codec[T]{known: keepjson.Of(reflect.TypeFor[T]())}
	for _, u := range upgrades {
		c.upgrades = append(c.upgrades, u)
	}
	return c
}

// version is what this program writes: 1 without upgrades.
func (c *Codec[T]) version() int { return len(c.upgrades) + 1 }

// Decode takes a payload apart, and brings its JSON to the version of this program. The error is a [WrongError], a
// [*NewerError], or that of an upgrade.
func (c *Codec[T]) Decode(payload []byte) (*T, Record, error) {
	h, body, ok := stamp.Cut(payload)
	r := Record{h, body}
	if !ok {
		return nil, r, WrongError("has no record header")
	}
	if r.Version > c.version() {
		return nil, r, &NewerError{Version: r.Version, Known: c.version()}
	}
	for ; r.Version < c.version(); r.Version++ {
		body, err := c.upgrades[r.Version-1](slices.Clone(r.Body))
		if err != nil {
			return nil, r, fmt.Errorf("upgrade of a record from version %d: %w", r.Version, err)
		}
		r.Body = body
	}
	v := new(T)
	if json.Unmarshal(r.Body, v) != nil {
		return nil, r, WrongError("does not decode") // json's error would show content
	}
	return v, r, nil
}

// Encode returns the record of v. Fields of the old record, if there is one, that T does not know are kept: a newer
// program has written them. The error is a [WrongError], of the old record, or wraps [opsec.ErrInvalid].
func (c *Codec[T]) Encode(v *T, old *Record, at stamp.Stamp) (Record, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return Record{}, fmt.Errorf("a record does not encode: %v: %w", err, opsec.ErrInvalid)
	}
	if old != nil && c.known != nil {
		if body, err = c.known.Carry(old.Body, body); err != nil {
			return Record{}, WrongError("does not decode")
		}
	}
	return Record{stamp.Header{Version: c.version(), Stamp: at}, body}, nil
}
