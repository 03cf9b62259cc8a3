package export

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrForeign says that a line is none of an export's: it carries no proof.
var ErrForeign = errors.New("not a line of an export")

// Line is a line read back: what it claims.
type Line struct {
	Number   int       // in its file, from 1
	Form     Form      // how it is written
	Origin   string    // of the log
	Index    uint64    // place in the log
	LeafHash tlog.Hash // of Leaf
	Leaf     []byte    // the entry
	Evidence []byte    // opens its commitments
	Size     uint64    // of the checkpoint
	Root     tlog.Hash // of the checkpoint

	header  *syslogHeader // of a syslog line
	message []byte        // the JSON text: the line, or the message in it
	form    Form          // of the message
	value   any           // the message parsed
}

// LineError says which line could not be read. It wraps [ErrForeign] or [opsec.ErrInvalid].
type LineError struct {
	Number int // from 1
	Err    error
}

// Error says the number, and why.
func (e *LineError) Error() string {
	return fmt.Sprintf("export: line %d: %s", e.Number, strings.TrimPrefix(e.Err.Error(), "export: "))
}

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

// Read reads lines of all three forms, mixed as they may be; syslog as a collector writes it that keeps RFC 5424
// (rsyslog: RSYSLOG_SyslogProtocol23Format). Empty lines are passed over. A line that cannot be read, or is longer
// than [MaxLine], yields a [*LineError], and the reading goes on; an error of r ends it. Nothing is verified yet: see
// [Exporter.Verify].
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for number := 1; ; number++ {
			text, whole, err := readLine(in)
			if err != nil && err != io.EOF {
				yield(Line{}, fmt.Errorf("export: line %d: %w", number, err))
				return
			}
			if number == 1 {
				text = bytes.TrimPrefix(text, []byte(bom))
			}
			switch text = bytes.TrimSpace(text); {
			case !whole:
				if !yield(Line{}, &LineError{number, invalid("longer than %d bytes", MaxLine)}) {
					return
				}
			case len(text) > 0:
				line, err := parseLine(text)
				line.Number = number
				if err != nil {
					line, err = Line{}, &LineError{number, err}
				}
				if !yield(line, err) {
					return
				}
			}
			if err == io.EOF {
				return
			}
		}
	}
}

// readLine reads to the next line end, and keeps MaxLine bytes at most: whole tells whether that was all.
func readLine(in *bufio.Reader) (text []byte, whole bool, err error) {
	whole = true
	for {
		part, err := in.ReadSlice('\n')
		if room := MaxLine + 2 - len(text); len(part) > room { // 2: the line end
			part, whole = part[:room], false
		}
		text = append(text, part...)
		if err != bufio.ErrBufferFull {
			return text, whole, err
		}
	}
}

// parseLine owns text.
func parseLine(text []byte) (Line, error) {
	l := Line{message: text}
	if len(text) > MaxLine {
		return l, invalid("longer than %d bytes", MaxLine)
	}
	if !utf8.Valid(text) { // encoding/json would mend it
		return l, invalid("not UTF-8")
	}
	if text[0] == '<' {
		header, message, err := parseSyslog(text)
		if err != nil {
			return l, err
		}
		l.Form, l.header, l.message = Syslog, &header, message
	}
	var err error
	if l.value, err = parseValue(l.message); err != nil {
		return l, err
	}
	object, _ := l.value.(map[string]any)
	l.form = JSON
	if _, ok := object["class_uid"]; ok {
		l.form = OCSF
		object, _ = object["unmapped"].(map[string]any)
	}
	if l.header == nil {
		l.Form = l.form
	}
	return l, l.claims(object)
}

// claims takes the proof from the object that holds it.
func (l *Line) claims(object map[string]any) error {
	if _, ok := object["leaf_hash"]; !ok {
		return ErrForeign
	}
	var errs []error
	text := func(name string) string {
		s, ok := object[name].(string)
		if !ok {
			errs = append(errs, invalid("%s: want a string", name))
		}
		return s
	}
	number := func(name string) uint64 {
		s, _ := object[name].(json.Number)
		n, err := strconv.ParseUint(s.String(), 10, 63)
		if err != nil {
			errs = append(errs, invalid("%s: want an integer from 0 to 2^63-1", name))
		}
		return n
	}
	data := func(name string) []byte {
		data, err := base64.StdEncoding.DecodeString(text(name))
		if err != nil {
			errs = append(errs, invalid("%s: want base64", name))
		}
		return data
	}
	hash := func(name string) (h tlog.Hash) {
		if n := copy(h[:], data(name)); n != len(h) || len(data(name)) != len(h) {
			errs = append(errs, invalid("%s: want the base64 of 32 bytes", name))
		}
		return h
	}
	l.Origin, l.Index, l.LeafHash = text("origin"), number("index"), hash("leaf_hash")
	l.Size, l.Root = number("size"), hash("root")
	l.Leaf, l.Evidence = data("leaf"), data("evidence")
	if len(errs) == 0 && l.Index >= l.Size {
		errs = append(errs, invalid("index %d: want one below size, %d", l.Index, l.Size))
	}
	return errors.Join(errs...)
}

// ErrAltered says that a line is not what its leaf and evidence prove; see [AlteredError].
var ErrAltered = errors.New("altered")

// AlteredError names what was found altered. It wraps [ErrAltered].
type AlteredError struct {
	Line  int    // its number
	Field string // "event.actor.account", "syslog.timestamp"; "...: a member more" for what has been added to an object
}

// Error names line and field; a value may be personal, and is left out.
func (e *AlteredError) Error() string {
	return fmt.Sprintf("export: line %d: %s is not what the leaf proves: %v", e.Line, e.Field, ErrAltered)
}

// Unwrap returns [ErrAltered].
func (e *AlteredError) Unwrap() error { return ErrAltered }

// Verify returns the record that the line's leaf and evidence prove. It writes that record again and compares: a line
// that says anything else, more or less, is an [*AlteredError]. What means nothing may differ: the order of members and
// the space between them, how a character is escaped, the byte order mark, syslog's HOSTNAME and PROCID, and the zone of
// its timestamp. The function open is the verification of a leaf by its evidence; an error of it comes back wrapped.
//
// Index, Size and Root stay the line's claim. Whoever trusts a checkpoint of that size and root proves them by an
// inclusion proof for the record's LeafHash.
func (x *Exporter) Verify(l Line, open func(leaf, evidence []byte) (*opsec.Event, error)) (Record, error) {
	altered := func(field string) (Record, error) { return Record{}, &AlteredError{l.Number, field} }
	if tlog.RecordHash(l.Leaf) != l.LeafHash {
		return altered("leaf_hash")
	}
	event, err := open(l.Leaf, l.Evidence)
	if err != nil {
		return Record{}, fmt.Errorf("export: line %d: evidence: %w", l.Number, err)
	}
	r := Record{Event: event, Index: l.Index, LeafHash: l.LeafHash, Leaf: l.Leaf, Evidence: l.Evidence, Size: l.Size, Root: l.Root}
	if l.header != nil {
		if err := r.validate(); err != nil {
			return Record{}, err
		}
		if field := l.header.diff(x, &r); field != "" {
			return altered(field)
		}
	}
	want, err := x.Append(nil, l.form, &r)
	if err != nil {
		return Record{}, err
	}
	if bytes.Equal(want, l.message) {
		return r, nil
	}
	value, err := parseValue(want)
	if err != nil {
		return Record{}, fmt.Errorf("export: line %d: written again: %w", l.Number, err)
	}
	if field, found := diff("", l.value, value); found {
		return altered(field)
	}
	return r, nil
}
