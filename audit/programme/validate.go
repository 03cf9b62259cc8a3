package programme

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// The bounds of what an audit holds: bytes of texts, numbers of things.
const (
	maxID        = 128
	maxName      = 512 // of a person, a title, anything with a name
	maxText      = 4 << 10
	maxReason    = 1 << 10
	maxItem      = 1 << 10 // as package sample has it
	maxProof     = 16 << 10
	maxPlan      = 192 << 10 // of JSON, as all below that is one thing
	maxElement   = 64 << 10
	maxCustomers = 1024
	maxList      = 256 // of anything else that a thing lists
	maxUses      = 1 << 20
	maxSample    = 1 << 20
)

// sound refuses an audit that no steps could have made, as far as steps rely on it.
func (a *Audit) sound() error {
	rank := a.Stage.rank()
	drawn := rank >= Fieldwork.rank() && a.Stage != Cancelled
	if rank < 0 || drawn && a.Draw == nil || (drawn || a.Stage == Frozen) && len(a.Freezes) == 0 {
		return invalid("audit: at stage %q, and without what comes before it", cut(string(a.Stage), maxID))
	}
	return nil
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// validID accepts what could be a customer's id: 1 to 128 bytes of ASCII letters, digits, '.', '_' and '-', beginning with a
// letter or a digit.
func validID(s string) bool {
	t := opsec.TenantID(s)
	return t != opsec.Provider && t.Validate() == nil
}

func checkID(field, s string) error {
	if !validID(s) {
		return invalid("%s of %d bytes: want 1 to %d letters, digits, '.', '_', '-', none of these three first", field, len(s), maxID)
	}
	return nil
}

// checkText wants UTF-8 of least to most bytes, without control characters but tabs and ends of lines.
func checkText(field, s string, least, most int) error {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if len(s) < least || len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, control) {
		return invalid("%s of %d bytes: want %d to %d, UTF-8, no control characters", field, len(s), least, most)
	}
	return nil
}

func checkTexts(field string, list []string, most, longest int) error {
	if len(list) > most {
		return invalid("%s: %d, want at most %d", field, len(list), most)
	}
	for i, s := range list {
		if err := checkText(field, s, 1, longest); err != nil {
			return err
		}
		if slices.Contains(list[:i], s) {
			return invalid("%s: number %d is there twice", field, i)
		}
	}
	return nil
}

func checkIDs(field string, list []string, most int) error {
	if i := slices.IndexFunc(list, func(s string) bool { return !validID(s) }); i >= 0 {
		return checkID(field, list[i])
	}
	return checkTexts(field, list, most, maxID)
}

func checkTime(field string, t time.Time) error {
	if y := t.UTC().Year(); t.IsZero() || y < 1 || y > 9990 {
		return invalid("%s: want a time of the years 1 to 9990", field)
	}
	return nil
}

func checkTenants(field string, list []opsec.TenantID) error {
	if len(list) > maxCustomers {
		return invalid("%s: %d, want at most %d", field, len(list), maxCustomers)
	}
	for i, t := range list {
		if t == opsec.Provider || t.Validate() != nil || slices.Contains(list[:i], t) {
			return invalid("%s: number %d: want ids of customers, each once", field, i)
		}
	}
	return nil
}

// validDigest accepts "sha256:" and 64 lower-case hexadecimal digits.
func validDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, "sha256:")
	_, err := hex.DecodeString(digits)
	return ok && len(digits) == 64 && err == nil && digits == strings.ToLower(digits)
}

// short is a text of somebody else as it may stand in an error.
func short(s string) string {
	if validID(s) {
		return s
	}
	return "(no id)"
}

// cut returns the beginning of s as UTF-8 without control characters, of at most most bytes.
func cut(s string, most int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), most)], "?"))
}

// own returns a copy that shares nothing with what a caller has, as it will be read back from JSON.
func own[T any](field string, v T, most int) (T, error) {
	var copied T
	b, err := json.Marshal(v)
	if err == nil && len(b) > most {
		return copied, invalid("%s: %d bytes of JSON, want at most %d", field, len(b), most)
	}
	if err == nil {
		err = json.Unmarshal(b, &copied)
	}
	if err != nil {
		return copied, invalid("%s: %v", field, err)
	}
	return copied, nil
}

// at is a time as it will be read back.
func at(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}
