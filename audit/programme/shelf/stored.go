package shelf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/store"
)

// Stored keeps audits in a store, among the provider's own records. Audit and events are committed together; package
// store/outbox hands these to a recorder.
func Stored(db *store.DB) programme.Audits { return &stored{db} }

type stored struct{ db *store.DB }

// part is a piece of an audit. A record holds less than an audit may take, so its JSON is cut between the elements of its
// lists: each body is an object with some of them.
type part struct {
	Audit  string          `json:"audit"`
	Number int             `json:"number"` // from 0
	Parts  int             `json:"parts"`  // how many there are
	Body   json.RawMessage `json:"body"`
}

const partSize = 232 << 10 // of a body, at most; the largest element has 192 KiB, a record 255

// parts are found by audit and number. Heads finds the first of each audit.
var parts = store.NewCollection(store.Schema[part]{
	Name: "audit/programme/parts",
	ID:   func(p *part) store.Key { return partKey(p.Audit, p.Number) },
	Indexes: []store.Index[part]{{
		Name: "heads",
		Keys: func(p *part) []store.Key {
			if p.Number > 0 {
				return nil
			}
			return []store.Key{store.Text(p.Audit)}
		},
	}},
})

func partKey(audit string, number int) store.Key { return store.Text(audit).Int(int64(number)) }

func (s *stored) Update(ctx context.Context, id string, fn func(programme.Audit) (programme.Audit, []opsec.Event, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(opsec.Provider)
		old, was, err := s.read(sub, id)
		if err != nil {
			return err
		}
		a, err := decode(old)
		if err != nil {
			return &store.CorruptError{Collection: parts.Name(), Reason: "is no part of an audit"}
		}
		next, events, err := fn(a)
		if err != nil {
			return err
		}
		b, err := encode(id, next)
		if err != nil {
			return err
		}
		for i := range events {
			if err := tx.Emit(&events[i]); err != nil {
				return err
			}
		}
		if b == nil || bytes.Equal(b, old) {
			return nil
		}
		return s.write(sub, id, b, was)
	})
}

// read returns the JSON of an audit, nil when there is none, and how many parts it has.
func (s *stored) read(sub *store.Sub, id string) ([]byte, int, error) {
	head, err := parts.Get(sub, partKey(id, 0))
	if errors.Is(err, opsec.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	bodies := []json.RawMessage{head.Body}
	for n := 1; n < head.Parts; n++ {
		p, err := parts.Get(sub, partKey(id, n))
		if err != nil {
			return nil, 0, fmt.Errorf("shelf: part %d of an audit: %w", n, err)
		}
		bodies = append(bodies, p.Body)
	}
	b, err := join(bodies)
	if err != nil {
		return nil, 0, &store.CorruptError{Collection: parts.Name(), Reason: "is no part of an audit"}
	}
	return b, head.Parts, nil
}

func (s *stored) write(sub *store.Sub, id string, b []byte, was int) error {
	bodies, err := split(b, partSize)
	if err != nil {
		return err
	}
	records := make([]*part, len(bodies))
	for n, body := range bodies {
		records[n] = &part{Audit: id, Number: n, Parts: len(bodies), Body: body}
	}
	for n := len(bodies); n < was; n++ {
		if err := parts.Delete(sub, partKey(id, n)); err != nil {
			return err
		}
	}
	return parts.Put(sub, records...)
}

func (s *stored) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.db.View(ctx, func(tx *store.Tx) error {
			for p, err := range parts.List(tx.Sub(opsec.Provider), store.Query{Index: "heads"}) {
				if err != nil {
					return err
				}
				if !yield(p.Audit, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}

// split cuts the JSON of an audit into objects of at most size bytes, unless one element alone is larger. They are put
// together again by join.
func split(b []byte, size int) ([]json.RawMessage, error) {
	if len(b) <= size {
		return []json.RawMessage{b}, nil
	}
	var bodies []json.RawMessage
	var body []byte
	list := "" // the one that is open in body
	flush := func() {
		if len(body) > 0 {
			bodies = append(bodies, append(closed(body, list), '}'))
		}
		body, list = nil, ""
	}
	add := func(name string, value json.RawMessage, element bool) {
		if len(body)+len(name)+len(value)+len(`,"":[]}`) > size {
			flush()
		}
		if element && list == name {
			body = append(append(body, ','), value...)
			return
		}
		body = named(closed(body, list), name)
		if list = ""; element {
			list, body = name, append(body, '[')
		}
		body = append(body, value...)
	}
	err := fields(b, func(name string, value json.RawMessage) error {
		if value[0] != '[' || len(value) == 2 {
			add(name, value, false)
			return nil
		}
		return elements(value, func(e json.RawMessage) { add(name, e, true) })
	})
	flush()
	return bodies, err
}

// named begins a field of an object, and the object with the first.
func named(object []byte, name string) []byte {
	if len(object) == 0 {
		object = append(object, '{')
	} else {
		object = append(object, ',')
	}
	return append(append(append(object, '"'), name...), '"', ':')
}

func closed(body []byte, list string) []byte {
	if list != "" {
		return append(body, ']')
	}
	return body
}

// join puts together what split has cut.
func join(bodies []json.RawMessage) ([]byte, error) {
	if len(bodies) == 1 {
		return bodies[0], nil
	}
	var all []byte
	list := ""
	for _, b := range bodies {
		err := fields(b, func(name string, value json.RawMessage) error {
			if value[0] == '[' && list == name {
				all = append(append(all, ','), value[1:len(value)-1]...)
				return nil
			}
			all = named(closed(all, list), name)
			if list = ""; value[0] == '[' {
				list, value = name, value[:len(value)-1]
			}
			all = append(all, value...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return append(closed(all, list), '}'), nil
}

// fields calls fn for each field of a JSON object, in order.
func fields(b []byte, fn func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return errors.Join(errors.New("shelf: no JSON object"), err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := fn(name.(string), value); err != nil {
			return err
		}
	}
	return nil
}

// elements calls fn for each element of a JSON array, in order.
func elements(b []byte, fn func(json.RawMessage)) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		fn(value)
	}
	return nil
}
