package entry

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

const (
	// MaxLeaf is how long a leaf may be, in bytes: an entry bundle of C2SP tlog-tiles holds no longer ones.
	MaxLeaf = 65_535
	// maxLeafAttrs is how much of a leaf its attributes may take, as they are encoded. All else is below 1 KiB.
	maxLeafAttrs = 32 << 10
	// maxOrigin is how long the origin of another log may be.
	maxOrigin = 255
)

// Kind says what a leaf records.
type Kind byte

// The kinds of leaves.
const (
	Event Kind = 1 // an opsec.Event
	Epoch Kind = 2 // the root over the last leaves of all tenants
	Shard Kind = 3 // a checkpoint of another log, in a log of logs
)

// Leaf is what a leaf of the log says, to everybody who may read leaves. Its kind tells which fields it has; the others
// are zero.
type Leaf struct {
	Kind Kind
	Time time.Time // in UTC

	// Of an event, and Body also of a shard:
	ID       [16]byte       // opsec.Event.ID
	Class    opsec.Class    // opsec.Event.Class
	Category opsec.Category // opsec.Event.Category
	Action   string         // opsec.Event.Action
	Outcome  opsec.Outcome  // opsec.Event.Outcome
	Attrs    []opsec.Attr   // those marked Public; what becomes of long ones says Scribe.Draft
	Body     tlog.Hash      // SHA-256 of the body's skeleton; of a shard, that of the signed checkpoint
	Tenant   Handle         // whose record it is
	Seq      uint64         // the how manieth of the tenant's, from 1
	Prev     tlog.Hash      // leaf hash of the tenant's event before this one; there is none at 1

	// Of an epoch:
	Number  uint64    // the how manieth of the log's, from 1
	Tenants uint64    // how many heads there are
	Heads   tlog.Hash // the root over them

	// Of a shard:
	Log  string    // the other log's origin: 1 to 255 bytes of UTF-8
	Size uint64    // its size
	Root tlog.Hash // its root
}

// EventID returns the id in the form that [opsec.Event] has it in.
func (l Leaf) EventID() opsec.ID { return opsec.ID(appendID(make([]byte, 0, 36), l.ID)) }

// Append appends the leaf in its only form, which [Parse] reads back. It returns an error wrapping [opsec.ErrInvalid]
// for a leaf that cannot be written so, and appends nothing then.
func (l Leaf) Append(b []byte) ([]byte, error) {
	if y := l.Time.UTC().Year(); y < 1 || y > 9999 {
		return b, bad("time: want a year from 1 to 9999")
	}
	switch l.Kind {
	case Event:
		attrs, err := l.checkEvent()
		if err != nil {
			return b, err
		}
		b = appendEvent(b, &l, attrs)
		return appendPlace(b, l.Seq, l.Prev), nil
	case Epoch:
		if l.Number == 0 {
			return b, bad("epoch: counted from 1")
		}
		b = strconv.AppendUint(append(b, `{"v":1,"epoch":`...), l.Number, 10)
		b = appendTime(append(b, `,"time":"`...), l.Time)
		b = strconv.AppendUint(append(b, `","tenants":`...), l.Tenants, 10)
		b = appendBase64(append(b, `,"heads":"`...), l.Heads[:])
	case Shard:
		if l.Log == "" || len(l.Log) > maxOrigin || !utf8.ValidString(l.Log) {
			return b, bad("log: want 1 to 255 bytes of UTF-8")
		}
		b = appendString(append(b, `{"v":1,"log":`...), l.Log)
		b = appendTime(append(b, `,"time":"`...), l.Time)
		b = strconv.AppendUint(append(b, `","size":`...), l.Size, 10)
		b = appendBase64(append(b, `,"root":"`...), l.Root[:])
		b = appendBase64(append(b, `","body":"`...), l.Body[:])
	default:
		return b, bad("kind: unknown")
	}
	return append(b, '"', '}'), nil
}

// checkEvent returns the attributes as they are encoded.
func (l *Leaf) checkEvent() (attrs []byte, err error) {
	switch {
	case class(l.Class) == "":
		return nil, bad("class: unknown")
	case l.Category != "" && category(l.Category) == "":
		return nil, bad("category: unknown")
	case !validAction(l.Action):
		return nil, bad("action: want lower-case words joined by dots, 128 bytes at most")
	case outcome(l.Outcome) == "":
		return nil, bad("outcome: unknown")
	case l.Seq == 0:
		return nil, bad("seq: counted from 1")
	case l.Seq == 1 && l.Prev != tlog.Hash{}:
		return nil, bad("prev: nothing comes before 1")
	case len(l.Attrs) > opsec.MaxAttrs:
		return nil, bad("attrs: more than 64")
	}
	for i := range l.Attrs {
		a := &l.Attrs[i]
		if a.Mark != opsec.Public || !fits(a) {
			return nil, bad("attrs: want public ones, of UTF-8, with a key of 1 to 128 bytes and a value of at most 8 KiB")
		}
		attrs = appendAttr(attrs, a)
	}
	if len(attrs) > maxLeafAttrs {
		return nil, bad("attrs: want at most 32 KiB, as they are encoded")
	}
	return attrs, nil
}

// fits reports whether a leaf can hold the attribute and give it back unchanged.
func fits(a *opsec.Attr) bool {
	return a.Key != "" && len(a.Key) <= opsec.MaxKeyLen && len(a.Value) <= opsec.MaxValueLen &&
		utf8.ValidString(a.Key) && utf8.ValidString(a.Value)
}

// appendEvent appends an event's leaf up to its tenant. Attributes are given as appendAttr has encoded them.
func appendEvent(b []byte, l *Leaf, attrs []byte) []byte {
	b = appendID(append(b, `{"v":1,"id":"`...), l.ID)
	b = appendTime(append(b, `","time":"`...), l.Time)
	b = append(append(b, `","class":"`...), l.Class...)
	if l.Category != "" {
		b = append(append(b, `","category":"`...), l.Category...)
	}
	b = append(append(b, `","action":"`...), l.Action...)
	b = append(append(b, `","outcome":"`...), l.Outcome...)
	b = append(b, '"')
	if len(attrs) > 0 {
		b = append(append(b, `,"attrs":[`...), attrs...)
		b[len(b)-1] = ']' // in the place of the last one's comma
	}
	b = appendBase64(append(b, `,"body":"`...), l.Body[:])
	return appendBase64(append(b, `","tenant":"`...), l.Tenant[:])
}

// appendAttr appends an attribute and a comma.
func appendAttr(b []byte, a *opsec.Attr) []byte {
	b = appendString(append(b, '['), a.Key)
	b = appendString(append(b, ','), a.Value)
	return append(b, ']', ',')
}

// appendPlace appends where an event stands, and ends its leaf.
func appendPlace(b []byte, seq uint64, prev tlog.Hash) []byte {
	b = strconv.AppendUint(append(b, `","seq":`...), seq, 10)
	if seq > 1 {
		b = append(appendBase64(append(b, `,"prev":"`...), prev[:]), '"')
	}
	return append(b, '}')
}

func appendTime(b []byte, t time.Time) []byte { return t.UTC().AppendFormat(b, time.RFC3339Nano) }

func appendBase64(b, raw []byte) []byte { return base64.RawURLEncoding.AppendEncode(b, raw) }

func appendID(b []byte, id [16]byte) []byte {
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendString appends valid UTF-8 as a JSON string, with the escapes that opsec.Event.AppendJSON writes.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if ' ' <= c && c < 0x7f && c != '"' && c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', c)
		case escaped(r):
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}

// escaped reports whether a string shows r by its number: what ends lines, and what terminals obey.
func escaped(r rune) bool {
	return r < 0x20 || 0x7f <= r && r <= 0x9f || r == '\u2028' || r == '\u2029'
}

// class returns the constant that is equal to word, or nothing; so do category and outcome.
func class[T ~string | ~[]byte](word T) opsec.Class {
	switch string(word) {
	case string(opsec.Critical):
		return opsec.Critical
	case string(opsec.Standard):
		return opsec.Standard
	case string(opsec.BestEffort):
		return opsec.BestEffort
	}
	return ""
}

func category[T ~string | ~[]byte](word T) opsec.Category {
	switch string(word) {
	case string(opsec.Authentication):
		return opsec.Authentication
	case string(opsec.Authorization):
		return opsec.Authorization
	}
	return ""
}

func outcome[T ~string | ~[]byte](word T) opsec.Outcome {
	switch string(word) {
	case string(opsec.Success):
		return opsec.Success
	case string(opsec.Failure):
		return opsec.Failure
	case string(opsec.Denied):
		return opsec.Denied
	case string(opsec.Pending):
		return opsec.Pending
	case string(opsec.Unknown):
		return opsec.Unknown
	}
	return ""
}

// validAction is the rule of opsec.Event.Validate.
func validAction[T ~string | ~[]byte](s T) bool {
	if len(s) == 0 || len(s) > opsec.MaxKeyLen || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && s[i-1] != '.':
		default:
			return false
		}
	}
	return true
}

func bad(what string) error { return fmt.Errorf("entry: leaf: %s: %w", what, opsec.ErrInvalid) }
