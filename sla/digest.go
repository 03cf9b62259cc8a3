package sla

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/cloudopsec/opsec"
)

// Canonical returns the agreement as canonical JSON (RFC 8785), with times in UTC: the same bytes for the same agreement,
// whatever it was read from. The error wraps [opsec.ErrInvalid], of what could not be written exactly, such as a text that
// is not UTF-8.
func (a *Agreement) Canonical() ([]byte, error) {
	if err := exactly(reflect.ValueOf(a)); err != nil {
		return nil, err
	}
	c, err := a.clone()
	if err != nil {
		return nil, err
	}
	walk(reflect.ValueOf(c), "", func(_ string, v reflect.Value) bool {
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(v.Interface().(time.Time).UTC()))
		}
		return true
	})
	text, err := json.Marshal(c)
	if err == nil {
		text, err = jcs.Transform(text)
	}
	if err != nil {
		return nil, fmt.Errorf("sla: %w: %w", err, opsec.ErrInvalid)
	}
	return text, nil
}

// exactly returns the first thing that could not be written exactly.
func exactly(v reflect.Value) (err error) {
	walk(v, "", func(path string, v reflect.Value) bool {
		if why := odd(v); why != "" {
			err = &Fault{Path: path, Rule: RuleInvalid, Text: why}
		}
		return err == nil
	})
	return err
}

// clone returns a copy that shares nothing.
func (a *Agreement) clone() (*Agreement, error) {
	c := new(Agreement)
	text, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		return nil, fmt.Errorf("sla: %w: %w", err, opsec.ErrInvalid)
	}
	return c, nil
}

// Digest returns what reports, signatures and the next version cite: "sha256:" and 64 hexadecimal digits, of
// [Agreement.Canonical].
func (a *Agreement) Digest() (string, error) {
	text, err := a.Canonical()
	if err != nil {
		return "", err
	}
	return digest(text), nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Changed returns the paths at which two agreements differ, in order of the fields: of a part that only one of them has
// its own path, of lists the place. The error is that of [Agreement.Canonical].
func Changed(a, b *Agreement) ([]string, error) {
	var doc [2]any
	for i, one := range []*Agreement{a, b} {
		text, err := one.Canonical()
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &doc[i]); err != nil {
			return nil, fmt.Errorf("sla: %w", err)
		}
	}
	return differ("", doc[0], doc[1], nil), nil
}

func differ(path string, a, b any, out []string) []string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return append(out, path)
		}
		names := map[string]bool{}
		for n := range x {
			names[n] = true
		}
		for n := range y {
			names[n] = true
		}
		sorted := make([]string, 0, len(names))
		for n := range names {
			sorted = append(sorted, n)
		}
		slices.Sort(sorted)
		for _, n := range sorted {
			out = differ(join(path, n), x[n], y[n], out)
		}
		return out
	case []any:
		y, ok := b.([]any)
		if !ok {
			return append(out, path)
		}
		for i := range max(len(x), len(y)) {
			at := fmt.Sprintf("%s[%d]", path, i)
			if i >= len(x) || i >= len(y) {
				out = append(out, at)
				continue
			}
			out = differ(at, x[i], y[i], out)
		}
		return out
	}
	if a != b { // texts, numbers, truths, and what is not there
		out = append(out, path)
	}
	return out
}
