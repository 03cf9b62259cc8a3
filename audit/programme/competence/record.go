package competence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Kind is what a [Record] shows.
type Kind string

// The kinds.
const (
	Training      Kind = "training"      // a course was attended
	Certification Kind = "certification" // an examination was passed
	Experience    Kind = "experience"    // somebody attests that it was done in practice
)

var kinds = []Kind{Training, Certification, Experience}

// Days is a time in days of 24 hours.
type Days int

// maxDays bounds Days: a hundred years.
const maxDays Days = 36_525

func (d Days) duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

// Record is one thing that a person has shown to know. It is never edited; see [Register.Revoke].
type Record struct {
	Person   string    `json:"person"`  // an id, as in [opsec.Actor]
	Subject  string    `json:"subject"` // what it is about, in words that [Need] repeats: "virtualisation"
	Kind     Kind      `json:"kind"`
	Issuer   string    `json:"issuer"` // who says so: somebody else
	Issued   time.Time `json:"issued"`
	Expires  time.Time `json:"expires,omitzero"` // none: it has no end of its own
	Evidence string    `json:"evidence"`         // digest of the document, "sha256:" and 64 hexadecimal digits
	Revoked  time.Time `json:"revoked,omitzero"` // from then on it does not count
}

// Ref returns the digest that other records name this one by: "sha256:" and 64 hexadecimal digits, over all fields but
// Revoked.
func (r Record) Ref() string {
	h := sha256.New()
	for _, s := range []string{
		"opsec/competence/record/v1",
		r.Person, r.Subject, string(r.Kind), r.Issuer, instant(r.Issued), instant(r.Expires), r.Evidence,
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return digestPrefix + hex.EncodeToString(h.Sum(nil))
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (r Record) Validate() error {
	switch {
	case !line(r.Person, maxName):
		return invalid("record: person: want " + wantName)
	case !line(r.Subject, maxName):
		return invalid("record: subject: want " + wantName)
	case !slices.Contains(kinds, r.Kind):
		return invalid("record: kind: unknown")
	case !line(r.Issuer, maxName):
		return invalid("record: issuer: want " + wantName)
	case r.Issuer == r.Person:
		return invalid("record: issuer: want another than the person")
	case !dated(r.Issued):
		return invalid("record: issued: want " + wantYear)
	case !r.Expires.IsZero() && (!dated(r.Expires) || !r.Expires.After(r.Issued)):
		return invalid("record: expires: want later than issued")
	case !digest(r.Evidence):
		return invalid("record: evidence: want " + wantDigest)
	case !r.Revoked.IsZero() && (!dated(r.Revoked) || r.Revoked.Before(r.Issued)):
		return invalid("record: revoked: want not earlier than issued")
	}
	return nil
}

// revoke returns the record as it is when it does not count from an instant on; its issue at the earliest.
func (r Record) revoke(from time.Time) Record {
	if from.Before(r.Issued) {
		from = r.Issued
	}
	r.Revoked = from
	return r
}

// Need is what somebody must have shown.
type Need struct {
	Subject string `json:"subject"`
	Kinds   []Kind `json:"kinds"`            // any of these will do
	Within  Days   `json:"within,omitempty"` // how old a record may be; 0: only records with an end of their own count
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (n Need) Validate() error {
	switch {
	case !line(n.Subject, maxName):
		return invalid("need: subject: want " + wantName)
	case len(n.Kinds) == 0 || len(n.Kinds) > len(kinds):
		return invalid("need: %d kinds, want 1 to %d", len(n.Kinds), len(kinds))
	case n.Within < 0 || n.Within > maxDays:
		return invalid("need: within is %d days, want 0 to %d", n.Within, maxDays)
	}
	for i, k := range n.Kinds {
		if !slices.Contains(kinds, k) || slices.Contains(n.Kinds[:i], k) {
			return invalid("need: kinds[%d]: unknown, or a second time", i)
		}
	}
	return nil
}

// span is when a record meets a need: from issue to end, half-open. It is empty when the record was void from the start.
type span struct {
	Record
	end time.Time
}

func (s span) holds(at time.Time) bool { return !at.Before(s.Issued) && at.Before(s.end) }

// spans returns when the records of a person meet the need, leaving aside those that never could.
func (n Need) spans(records []Record) (list []span) {
	for _, r := range records {
		if r.Subject != n.Subject || !slices.Contains(n.Kinds, r.Kind) {
			continue
		}
		end := r.Expires
		if n.Within > 0 {
			end = earlier(end, r.Issued.Add(n.Within.duration()))
		}
		if end.IsZero() {
			continue
		}
		list = append(list, span{r, earlier(end, r.Revoked)})
	}
	return list
}

// longest returns the span that ends last among those that hold; of equals, the one with the smallest reference.
func longest(list []span, holds func(span) bool) (best span, ok bool) {
	for _, s := range list {
		if !holds(s) {
			continue
		}
		if !ok || s.end.After(best.end) || s.end.Equal(best.end) && s.Ref() < best.Ref() {
			best, ok = s, true
		}
	}
	return best, ok
}

// Qualified returns, for each need in turn, the record that meets it at an instant, and for the longest time from then
// on. When one is not met the error is an [*UnqualifiedError]. No needs at all is [opsec.ErrInvalid], and so is a record
// or a need that is not valid. Records of others are left aside.
func Qualified(records []Record, person string, needs []Need, at time.Time) ([]Record, error) {
	if len(needs) == 0 {
		return nil, invalid("no needs: nobody is qualified for nothing")
	}
	mine, err := byPerson(records)
	if err != nil {
		return nil, err
	}
	var basis []Record
	wrong := &UnqualifiedError{Person: person}
	for _, n := range needs {
		if err := n.Validate(); err != nil {
			return nil, err
		}
		spans := n.spans(mine[person])
		if best, ok := longest(spans, func(s span) bool { return s.holds(at) }); ok {
			basis = append(basis, best.Record)
		} else if _, was := longest(spans, func(s span) bool { return !s.end.After(at) }); was {
			wrong.Expired = append(wrong.Expired, n)
		} else {
			wrong.Missing = append(wrong.Missing, n)
		}
	}
	if len(wrong.Missing)+len(wrong.Expired) > 0 {
		return nil, wrong
	}
	return basis, nil
}

// UnqualifiedError says which needs a person does not meet. It wraps [opsec.ErrDenied].
type UnqualifiedError struct {
	Person  string
	Missing []Need // no record has ever met it
	Expired []Need // there was one, which is too old, has run out or was revoked
}

func (e *UnqualifiedError) Error() string {
	return fmt.Sprintf("competence: %d needs never met, %d no longer: %v", len(e.Missing), len(e.Expired), opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *UnqualifiedError) Unwrap() error { return opsec.ErrDenied }

func byPerson(records []Record) (map[string][]Record, error) {
	by := map[string][]Record{}
	for i, r := range records {
		if err := r.Validate(); err != nil {
			return nil, fmt.Errorf("records[%d]: %w", i, err)
		}
		by[r.Person] = append(by[r.Person], r)
	}
	return by, nil
}

const (
	maxName      = 128
	maxText      = 1024
	digestPrefix = "sha256:"
	wantName     = "one line of 1 to 128 bytes"
	wantYear     = "a year from 1900 to 2999"
	wantDigest   = `"sha256:" and 64 lower-case hexadecimal digits`
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("competence: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// line takes text that shows as what it is: no control characters, nothing that turns its direction, no space around it.
func line(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' })
}

func digest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	return ok && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}

func dated(t time.Time) bool { y := t.UTC().Year(); return 1900 <= y && y <= 2999 }

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// earlier returns the earlier of two instants, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
