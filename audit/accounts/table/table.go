package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Error says where a file breaks the rules. It wraps [opsec.ErrInvalid].
type Error struct {
	File   string
	Line   int // from 1
	Column int // in bytes, from 1; 0 where it is the whole line
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Column == 0 {
		return fmt.Sprintf("table: %s:%d: %s: %v", e.File, e.Line, e.Reason, opsec.ErrInvalid)
	}
	return fmt.Sprintf("table: %s:%d:%d: %s: %v", e.File, e.Line, e.Column, e.Reason, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *Error) Unwrap() error { return opsec.ErrInvalid }

// Accounts reads rows of the register of accounts. The first error ends the sequence, here and below: an [*Error], or one
// of r.
func Accounts(r io.Reader, name string) iter.Seq2[accounts.Account, error] {
	return read(r, name, kind[accounts.Account]{accountColumns(), func(a *accounts.Account) *string { return &a.Ref }, nil})
}

// Entitlements reads what accounts hold.
func Entitlements(r io.Reader, name string) iter.Seq2[accounts.Entitlement, error] {
	return read(r, name, kind[accounts.Entitlement]{entitlementColumns(),
		func(e *accounts.Entitlement) *string { return &e.Ref }, nil})
}

// Uses reads what accounts did.
func Uses(r io.Reader, name string) iter.Seq2[accounts.Use, error] {
	return read(r, name, kind[accounts.Use]{useColumns(), func(u *accounts.Use) *string { return &u.Ref }, nil})
}

// SignIns reads sign-ins and log-outs.
func SignIns(r io.Reader, name string) iter.Seq2[accounts.SignIn, error] {
	return read(r, name, kind[accounts.SignIn]{signInColumns(), func(s *accounts.SignIn) *string { return &s.Ref }, bound})
}

// People reads the register of people.
func People(r io.Reader, name string) iter.Seq2[accounts.Person, error] {
	return read(r, name, kind[accounts.Person]{personColumns(), func(p *accounts.Person) *string { return &p.Ref }, nil})
}

// bound cuts what people typed.
func bound(s *accounts.SignIn) {
	texts := [...]*string{
		(*string)(&s.Tenant), &s.Main, &s.Sub, &s.Terminal, &s.Session, &s.Ref, (*string)(&s.Outcome),
	}
	long := false
	for _, text := range texts[:4] {
		if len(*text) > opsec.MaxValueLen {
			*text, long = (*text)[:opsec.MaxValueLen], true
		}
	}
	if long {
		for _, text := range texts { // the cells of a line share its memory
			*text = strings.Clone(*text)
		}
	}
}

// kind is how the rows of one type are read.
type kind[T any] struct {
	columns []column[T]
	ref     func(*T) *string
	typed   func(*T) // set where a row holds what people typed: it bounds that, and any bytes will do
}

const maxLine = 1 << 20

func read[T any](r io.Reader, name string, k kind[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		in := bufio.NewReaderSize(r, 64<<10)
		if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
			in.Discard(3)
		}
		_, err := in.Peek(1)
		start, _ := in.Peek(in.Buffered())
		start = bytes.TrimLeft(start, " \t\r\n")
		switch {
		case err == io.EOF:
			yield(zero, &Error{name, 1, 0, "is empty: want a header row or JSON lines"})
		case err != nil:
			yield(zero, fmt.Errorf("table: %s: %w", name, err))
		case bytes.HasPrefix(start, []byte("{")):
			readJSON(in, name, k, yield)
		case bytes.HasPrefix(start, []byte("[")):
			yield(zero, &Error{name, 1, 0, "is a JSON array: want one object on each line"})
		default:
			readCSV(in, name, k, yield)
		}
	}
}

func (k kind[T]) finish(row *T, name string, line int) {
	if ref := k.ref(row); *ref == "" {
		*ref = fmt.Sprintf("%s:%d", name, line)
	}
	if k.typed != nil {
		k.typed(row)
	}
}

func readJSON[T any](in *bufio.Reader, name string, k kind[T], yield func(T, error) bool) {
	var zero T
	for number := 1; ; number++ {
		line, err := readLine(in)
		if err == io.EOF {
			return
		}
		if err == errTooLong {
			yield(zero, &Error{name, number, 0, err.Error()})
			return
		}
		if err != nil {
			yield(zero, fmt.Errorf("table: %s: line %d: %w", name, number, err))
			return
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var row T
		if !utf8.Valid(line) {
			yield(zero, &Error{name, number, 0, "is not UTF-8"})
			return
		}
		if err := strictjson.Decode(line, &row); err != nil {
			column, reason := explain(err)
			yield(zero, &Error{name, number, column, reason})
			return
		}
		k.finish(&row, name, number)
		if !yield(row, nil) {
			return
		}
	}
}

// explain says what is wrong with a line of JSON without quoting a value, as some errors do.
func explain(err error) (column int, reason string) {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return int(syntax.Offset), "is not JSON"
	case errors.As(err, &typed):
		return int(typed.Offset), strings.TrimPrefix(typed.Field, "Key.") + ": has another type"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, "is not JSON: it ends too early; want one object on each line"
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return 0, strings.TrimPrefix(err.Error(), "json: ")
	}
	return 0, "is not one object whose values are as they should be"
}

var errTooLong = fmt.Errorf("a line of more than %d bytes", maxLine)

// readLine returns a line without its newline, and io.EOF behind the last.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxLine {
			return nil, errTooLong
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err == io.EOF && len(line) > 0:
			return line, nil
		default:
			return bytes.TrimSuffix(line, []byte("\n")), err
		}
	}
}

func readCSV[T any](in io.Reader, name string, k kind[T], yield func(T, error) bool) {
	var zero T
	limited := &limit{r: in}
	table := csv.NewReader(limited)
	table.ReuseRecord = true
	before := 0 // the line where the last record began
	next := func() ([]string, error) {
		limited.left = maxLine
		cells, err := table.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, errTooLong):
			return nil, &Error{name, before + 1, 0, err.Error()}
		case errors.As(err, &parse):
			return nil, &Error{name, parse.Line, parse.Column, parse.Err.Error()}
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("table: %s: %w", name, err)
		case err == nil:
			before, _ = table.FieldPos(0)
		}
		return cells, err
	}
	header, err := next()
	if err != nil {
		if err == io.EOF {
			err = &Error{name, 1, 0, "has no header row"}
		}
		yield(zero, err)
		return
	}
	columns, e := k.header(header)
	if e != nil {
		e.File, e.Line = name, 1
		if e.Column > 0 {
			e.Line, e.Column = table.FieldPos(e.Column - 1)
		}
		yield(zero, e)
		return
	}
	for {
		cells, err := next()
		if err == io.EOF {
			return
		}
		if err != nil {
			yield(zero, err)
			return
		}
		var row T
		for i, cell := range cells {
			if cell == "" && !columns[i].required {
				continue
			}
			if !columns[i].typed && !utf8.ValidString(cell) {
				err = errors.New("is not UTF-8")
			} else {
				err = columns[i].set(&row, cell)
			}
			if err != nil {
				line, at := table.FieldPos(i)
				yield(zero, &Error{name, line, at, columns[i].name + ": " + err.Error()})
				return
			}
		}
		k.finish(&row, name, before)
		if !yield(row, nil) {
			return
		}
	}
}

// header returns the columns in the order of the file. The column of an error is the number of the cell.
func (k kind[T]) header(cells []string) ([]column[T], *Error) {
	var columns []column[T]
	seen := map[string]bool{}
	for i, cell := range cells {
		at := slices.IndexFunc(k.columns, func(c column[T]) bool { return c.name == strings.TrimSpace(cell) })
		if at < 0 {
			return nil, &Error{Column: i + 1, Reason: "unknown column; there are " + k.names()}
		}
		if seen[k.columns[at].name] {
			return nil, &Error{Column: i + 1, Reason: "column " + k.columns[at].name + " is there twice"}
		}
		seen[k.columns[at].name] = true
		columns = append(columns, k.columns[at])
	}
	for _, c := range k.columns {
		if c.required && !seen[c.name] {
			return nil, &Error{Reason: "no column " + c.name}
		}
	}
	return columns, nil
}

func (k kind[T]) names() string {
	var names []string
	for _, c := range k.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// limit ends a reader with an error after so many bytes.
type limit struct {
	r    io.Reader
	left int
}

// Read implements io.Reader.
func (l *limit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
