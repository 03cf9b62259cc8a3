package evidence

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// column is one of those that a table may have.
type column[T any] struct {
	name     string
	required bool // in the header
	set      func(row *T, cell string) error
}

// kind is how the rows of a table are read.
type kind[T any] struct {
	columns []column[T]
	// finish completes a row, which is the n-th behind the header; or it says what is wrong with it, or that it says nothing.
	finish func(row *T, n uint64) error
}

// maxRow is how long a row may be, in bytes, with its end and the blank lines before it.
const maxRow = 64 << 10

var (
	errTooLong = fmt.Errorf("a row of more than %d bytes", maxRow)
	errNothing = errors.New("the row says nothing")
	errUTF8    = errors.New("is not UTF-8")
)

// read reads a CSV file with a header row.
func (k kind[T]) read(r io.Reader, name string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows := newRows(r, name)
		header, err := rows.next()
		if err == io.EOF {
			err = &Error{name, 1, 0, "is empty: want a header row"}
		}
		if err != nil {
			yield(zero, err)
			return
		}
		columns, err := k.header(rows, header)
		if err != nil {
			yield(zero, err)
			return
		}
		var row T
		for n := uint64(1); ; n++ {
			cells, err := rows.next()
			if err == io.EOF {
				return
			}
			row = zero
			if err == nil {
				err = k.row(rows, columns, cells, &row, n)
			}
			if err == errNothing {
				continue
			}
			if err != nil {
				yield(zero, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// header returns the columns in the order of the file.
func (k kind[T]) header(rows *rows, cells []string) ([]column[T], error) {
	var columns []column[T]
	seen := map[string]bool{}
	for i, cell := range cells {
		at := slices.IndexFunc(k.columns, func(c column[T]) bool { return c.name == strings.TrimSpace(cell) })
		switch {
		case at < 0:
			return nil, rows.fault(i, "unknown column; there are "+k.names())
		case seen[k.columns[at].name]:
			return nil, rows.fault(i, "column "+k.columns[at].name+" is there twice")
		}
		seen[k.columns[at].name] = true
		columns = append(columns, k.columns[at])
	}
	for _, c := range k.columns {
		if c.required && !seen[c.name] {
			return nil, rows.fault(-1, "no column "+c.name)
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

func (k kind[T]) row(rows *rows, columns []column[T], cells []string, row *T, n uint64) error {
	for i, cell := range cells {
		if cell == "" {
			continue // finish misses what must be there
		}
		err := errUTF8
		if utf8.ValidString(cell) {
			err = columns[i].set(row, cell)
		}
		if err != nil {
			return rows.fault(i, columns[i].name+": "+err.Error())
		}
	}
	switch err := k.finish(row, n); {
	case err == errNothing:
		return err
	case err != nil:
		return rows.fault(-1, err.Error())
	}
	return nil
}

// rows are the rows of a CSV file.
type rows struct {
	name  string
	bytes *limit
	table *csv.Reader
	line  int // where the last row began
}

func newRows(r io.Reader, name string) *rows {
	in := bufio.NewReaderSize(r, 64<<10)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		in.Discard(3)
	}
	l := &limit{r: in}
	t := csv.NewReader(l)
	t.ReuseRecord = true
	return &rows{name: name, bytes: l, table: t}
}

// next returns the cells of the next row, which are valid until it is called again, or [io.EOF].
func (r *rows) next() ([]string, error) {
	r.bytes.left = maxRow
	begin := r.table.InputOffset()
	cells, err := r.table.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong), r.table.InputOffset()-begin > maxRow: // by how much was read ahead it may get through
		return nil, &Error{r.name, r.line + 1, 0, errTooLong.Error()}
	case errors.As(err, &parse):
		return nil, &Error{r.name, parse.Line, parse.Column, parse.Err.Error()}
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("evidence: %s: %w", r.name, err)
	}
	r.line, _ = r.table.FieldPos(0)
	return cells, nil
}

// fault says what is wrong with a cell of the last row, or with all of it where the cell is -1.
func (r *rows) fault(cell int, reason string) *Error {
	if cell < 0 {
		return &Error{r.name, r.line, 0, reason}
	}
	line, at := r.table.FieldPos(cell)
	return &Error{r.name, line, at, reason}
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
