package evidence

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
)

// The columns of a table of states. The first four are those that must be there.
const (
	colResource = "resource"
	colStart    = "start"
	colEnd      = "end"
	colState    = "state"
	colGood     = "good"
	colTotal    = "total"
	colSource   = "source"
	colSeq      = "seq"
)

// words are the states in files.
var words = [...]string{meter.Unknown: "unknown", meter.Up: "up", meter.Degraded: "degraded", meter.Down: "down"}

// stateRow is a row of states.
type stateRow struct {
	meter.Evidence
	start, end, state, good, total, seq bool // is given
}

// States reads a CSV file of evidence, with a header row that names its columns, in any order:
//
//	resource,start,end,state
//	db-1,2026-03-01T00:00:00Z,2026-03-01T06:30:00Z,up
//	db-1,2026-03-01T06:30:00Z,,down
//
// A state is up, degraded, down or unknown. Times are RFC 3339 with any offset, in the years 1970 to 9999, and are rounded
// down to a millisecond. A span without end is [meter.Open], until a row of the resource starts later. One that ends before it
// starts is an error, and a row whose span is empty says nothing. Rows may come in any order, overlap and repeat. Cells are
// taken as they are: spaces count.
//
// Four more columns may be there. A row with a total, and an end, is of that many requests, of which so many were good; it
// has no state, and says nothing if the total is 0. What source and seq do not tell, the name of the file and the number of
// the row do, counted from 1 without the header: the same file read twice is the same evidence. So give the file the same
// name wherever it is read, without its folder. The end of an open span is told by rows of its source alone.
//
// The first error, an [*Error] or one of r, ends the sequence. A row is at most 64 KiB, the name of a resource or source at
// most [meter.MaxName] bytes; the number of rows has no bound, and they are not kept.
func States(r io.Reader, name string) iter.Seq2[meter.Evidence, error] {
	return func(yield func(meter.Evidence, error) bool) {
		var last string // a resource's name, kept alone instead of with its row
		for row, err := range stateRows(name).read(r, name) {
			if row.Resource != last {
				last = strings.Clone(row.Resource)
			}
			row.Resource = last
			if !yield(row.Evidence, err) {
				return
			}
		}
	}
}

func stateRows(name string) kind[stateRow] {
	text := func(at func(*stateRow) *string) func(*stateRow, string) error {
		return func(r *stateRow, cell string) error { *at(r) = cell; return checkName(cell) }
	}
	number := func(at func(*stateRow) (*uint64, *bool)) func(*stateRow, string) error {
		return func(r *stateRow, cell string) error {
			n, given := at(r)
			*given = true
			return count(n, cell)
		}
	}
	at := func(at func(*stateRow) (*int64, *bool)) func(*stateRow, string) error {
		return func(r *stateRow, cell string) error {
			t, err := moment(cell)
			ms, given := at(r)
			*ms, *given = t.UnixMilli(), true
			return err
		}
	}
	nameless := checkName(name)
	return kind[stateRow]{
		columns: []column[stateRow]{
			{colResource, true, text(func(r *stateRow) *string { return &r.Resource })},
			{colStart, true, at(func(r *stateRow) (*int64, *bool) { return &r.Span.Start, &r.start })},
			{colEnd, true, at(func(r *stateRow) (*int64, *bool) { return &r.Span.End, &r.end })},
			{colState, true, func(r *stateRow, cell string) error {
				i := slices.Index(words[:], cell)
				if i < 0 {
					return errors.New("want up, degraded, down or unknown")
				}
				r.State, r.state = meter.State(i), true
				return nil
			}},
			{colGood, false, number(func(r *stateRow) (*uint64, *bool) { return &r.Good, &r.good })},
			{colTotal, false, number(func(r *stateRow) (*uint64, *bool) { return &r.Total, &r.total })},
			{colSource, false, func(r *stateRow, cell string) error { r.Source = strings.Clone(cell); return checkName(cell) }},
			{colSeq, false, number(func(r *stateRow) (*uint64, *bool) { return &r.Seq, &r.seq })},
		},
		finish: func(r *stateRow, n uint64) error {
			if r.Source == "" {
				r.Source = name
				if nameless != nil {
					return fmt.Errorf("the source is the name of the file: %w", nameless)
				}
			}
			return r.finish(n)
		},
	}
}

func (r *stateRow) finish(n uint64) error {
	switch {
	case r.Resource == "":
		return errors.New("no resource")
	case !r.start:
		return errors.New("no start")
	case r.state == r.total:
		return errors.New("want a state, or a total of requests")
	case r.good != r.total:
		return errors.New("good and total are given both or not at all")
	case r.Good > r.Total:
		return errors.New("more good than all")
	case r.total && !r.end:
		return errors.New("requests without end of the span")
	case r.end && r.Span.End < r.Span.Start:
		return errors.New("the end is before the start")
	}
	if !r.end {
		r.Span.End = meter.Open
	}
	if !r.seq {
		r.Seq = n
	}
	if r.Span.Start == r.Span.End || r.total && r.Total == 0 {
		return errNothing
	}
	return nil
}

// count reads a number in decimal digits.
func count(to *uint64, cell string) error {
	n, err := strconv.ParseUint(cell, 10, 64)
	if err != nil {
		return errors.New("want a whole number below 2^64")
	}
	*to = n
	return nil
}

// Writer writes a CSV file that [States] reads. Names are written as they are, also those that a spreadsheet takes for formulas.
type Writer struct {
	out     *csv.Writer
	columns []string
	begun   bool
	cells   []string
}

// NewWriter returns a writer of the columns that [States] knows; of none it is resource, start, end and state. Without the
// columns source and seq the file's name and its rows are the identity of what is read back.
func NewWriter(w io.Writer, columns ...string) (*Writer, error) {
	if len(columns) == 0 {
		columns = []string{colResource, colStart, colEnd, colState}
	}
	known := stateRows("").columns
	for i, c := range columns {
		if !slices.ContainsFunc(known, func(k column[stateRow]) bool { return k.name == c }) || slices.Contains(columns[:i], c) {
			return nil, invalid("columns: %.40q is unknown, or there twice", c)
		}
	}
	for _, k := range known {
		if k.required && !slices.Contains(columns, k.name) {
			return nil, invalid("columns: %s is missing", k.name)
		}
	}
	return &Writer{out: csv.NewWriter(w), columns: slices.Clone(columns), cells: make([]string, len(columns))}, nil
}

// Write writes one piece of evidence, and the header before the first. What [States] would not read back is an error, and
// nothing is written: a name, a moment or a state that breaks its rules, an empty span, requests without columns for them.
func (w *Writer) Write(e meter.Evidence) error {
	requests := e.Total > 0
	switch {
	case checkName(e.Resource) != nil, slices.Contains(w.columns, colSource) && checkName(e.Source) != nil:
		return invalid("resource %.40q of source %.40q: %v", e.Resource, e.Source, errName)
	case !moments(e.Span.Start) || !moments(e.Span.End) && e.Span.End != meter.Open || e.Span.Start >= e.Span.End:
		return invalid("resource %.40q: span %d to %d: want moments of the years 1970 to 9999, in order", e.Resource, e.Span.Start, e.Span.End)
	case requests && (e.Span.End == meter.Open || e.Good > e.Total || e.State != meter.Unknown):
		return invalid("resource %.40q: requests: without end, with a state, or more good than all", e.Resource)
	case requests && !(slices.Contains(w.columns, colGood) && slices.Contains(w.columns, colTotal)):
		return invalid("resource %.40q: requests need the columns good and total", e.Resource)
	case !requests && (int(e.State) >= len(words) || e.Good > 0):
		return invalid("resource %.40q: state %d is unknown, or good requests without total", e.Resource, e.State)
	}
	if err := w.header(); err != nil {
		return err
	}
	for i, c := range w.columns {
		w.cells[i] = cell(e, c, requests)
	}
	return w.out.Write(w.cells)
}

func (w *Writer) header() error {
	if w.begun {
		return nil
	}
	w.begun = true
	return w.out.Write(w.columns)
}

// Flush writes what is not written yet, and a header if there was nothing.
func (w *Writer) Flush() error {
	if err := w.header(); err != nil {
		return err
	}
	w.out.Flush()
	return w.out.Error()
}

func cell(e meter.Evidence, column string, requests bool) string {
	switch {
	case column == colResource:
		return e.Resource
	case column == colStart:
		return stamp(e.Span.Start)
	case column == colEnd && e.Span.End != meter.Open:
		return stamp(e.Span.End)
	case column == colState && !requests:
		return words[e.State]
	case column == colGood && requests:
		return strconv.FormatUint(e.Good, 10)
	case column == colTotal && requests:
		return strconv.FormatUint(e.Total, 10)
	case column == colSource:
		return e.Source
	case column == colSeq:
		return strconv.FormatUint(e.Seq, 10)
	}
	return ""
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00") }
