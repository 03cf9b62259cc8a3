package sla

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/jsondiff"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
)

// Canonical returns the agreement as canonical JSON (RFC 8785), with times in UTC and ratios in lowest terms: the same bytes
// for the same agreement, whatever it was read from. What is said and what would hold anyhow, such as a share of 100%, are
// two; so are lists in another order. The error wraps [opsec.ErrInvalid], of what could not be written exactly, such as a
// text that is not UTF-8.
func (a *Agreement) Canonical() ([]byte, error) {
	if err := exactly(reflect.ValueOf(a)); err != nil {
		return nil, err
	}
	c, err := a.clone()
	if err != nil {
		return nil, err
	}
	walk(reflect.ValueOf(c), "", func(_ string, v reflect.Value) bool {
		switch v.Type() {
		case timeType:
			v.Set(reflect.ValueOf(v.Interface().(time.Time).UTC()))
		case ratioType:
			v.Set(reflect.ValueOf(reduced(v.Interface().(ratio.Ratio))))
		case targetType:
			t := v.Addr().Interface().(*response.Target)
			if share, err := ratio.Parse(t.Share); err == nil {
				t.Share = reduced(share).String()
			}
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

// reduced returns a ratio in its lowest terms, of which there is one text alone.
func reduced(r ratio.Ratio) ratio.Ratio {
	num, den := r.Num(), r.Den()
	for den != 0 {
		num, den = den, num%den
	}
	low, err := ratio.New(r.Num()/num, r.Den()/num) // by the greatest common divisor, which is 1 at least
	if err != nil {
		return r
	}
	return low
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
	text, err := json.Marshal(a.listed())
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

// Changed returns the paths at which two agreements differ, sorted by the names of the fields: of a part that only one of
// them has its own path, of lists the place. The error is that of [Agreement.Canonical].
func Changed(a, b *Agreement) ([]string, error) {
	one, err := a.Canonical()
	if err != nil {
		return nil, err
	}
	other, err := b.Canonical()
	if err != nil {
		return nil, err
	}
	found, err := jsondiff.Texts(one, other)
	if err != nil {
		return nil, fmt.Errorf("sla: %w", err)
	}
	var paths []string
	for _, d := range found {
		paths = append(paths, d.Path)
	}
	return paths, nil
}
