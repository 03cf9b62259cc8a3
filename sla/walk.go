package sla

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
)

// The kinds of leaves that rules look at.
var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	timeType      = reflect.TypeFor[time.Time]()
	ratioType     = reflect.TypeFor[ratio.Ratio]()
	durationType  = reflect.TypeFor[metric.Duration]()
	targetType    = reflect.TypeFor[response.Target]()
)

// leaf reports whether a type stands in JSON as one value.
func leaf(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Array, reflect.Pointer:
		return t.Implements(textMarshaler)
	}
	return true
}

// name returns the name of a field in JSON.
func name(f reflect.StructField) string {
	n, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if n == "" {
		return f.Name
	}
	return n
}

// walk calls visit for v and all that it holds, with their paths, until it returns false for one.
func walk(v reflect.Value, path string, visit func(path string, v reflect.Value) bool) bool {
	if v.Kind() == reflect.Pointer {
		return v.IsNil() || walk(v.Elem(), path, visit)
	}
	if !visit(path, v) {
		return false
	}
	if leaf(v.Type()) {
		return true
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !walk(v.Field(i), join(path, name(f)), visit) {
				return false
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if !walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit) {
				return false
			}
		}
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// The bounds of what an agreement holds.
const (
	MaxText  = 8 << 10 // bytes of a text
	MaxItems = 10_000  // of a list
)

// maxNumber is the greatest number that canonical JSON has exactly (RFC 8785, section 3.1).
const maxNumber int64 = 1<<53 - 1

// odd returns what keeps a value from being written exactly, or from being shown safely; "" if nothing does.
func odd(v reflect.Value) string {
	switch {
	case v.Type() == timeType:
		t := v.Interface().(time.Time)
		for _, y := range []int{t.Year(), t.UTC().Year()} {
			if y < 1 || y > 9999 {
				return "want a year of 1 to 9999"
			}
		}
		if _, ahead := t.Zone(); ahead%60 != 0 { // JSON would leave off the seconds
			return "want a zone that is whole minutes ahead of UTC"
		}
	case v.Type() == durationType: // stands as a text
	case v.Kind() == reflect.String:
		s := v.String()
		if len(s) > MaxText {
			return fmt.Sprintf("%d bytes, want up to %d", len(s), MaxText)
		}
		if !utf8.ValidString(s) || strings.ContainsFunc(s, hidden) {
			return "want UTF-8 without control characters, and without characters that are not seen or turn the direction of text"
		}
	case v.Kind() == reflect.Slice && v.Len() > MaxItems:
		return fmt.Sprintf("%d items, want up to %d", v.Len(), MaxItems)
	case v.CanInt() && (v.Int() > maxNumber || v.Int() < -maxNumber), v.CanUint() && v.Uint() > uint64(maxNumber):
		return fmt.Sprintf("want a number of up to %d, which JSON has exactly", maxNumber)
	}
	return ""
}

// hidden reports whether a character is not for a contract: what is signed must be what is seen. Joiners, which scripts
// and emoji need, may stand.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r == 0x061C, r == 0x200B, r == 0x200E, r == 0x200F, r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r == 0xFEFF, r >= 0xE0000 && r <= 0xE007F:
		return true
	}
	return unicode.IsControl(r)
}
