// Package strictjson reads JSON that programs wrote for programs: what it does not know, it refuses.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Decode decodes exactly one value, whose objects have known fields alone, into v. It does not notice a field that
// stands twice, nor one in other letter case; where that matters, compare with the value encoded again.
func Decode(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
