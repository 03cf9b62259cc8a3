package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"os"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/window"
)

// LineError says what is wrong with one line of a log. It wraps [opsec.ErrInvalid].
type LineError struct {
	Line int // from 1
	Err  error
}

// Error implements error, with the line's number and not its text.
func (e *LineError) Error() string { return fmt.Sprintf("audit: line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// The bounds of Read: a longer line is skipped, and an event is known again within so many.
const (
	maxLine      = maxRecordBytes + 1 // with its newline
	readRemember = 16384
)

// Read returns the events of a file of JSON lines, in order, each of them once: a batch that was written again after
// an error shows the second time by its ids, at least among 16384 events. A line that is no valid event is yielded as
// a [*LineError], with the event as far as it could be read, and reading goes on behind it. An error of r is yielded
// and ends the sequence. Memory is bounded; a line is up to 1 MiB.
func Read(r io.Reader) iter.Seq2[opsec.Event, error] {
	return func(yield func(opsec.Event, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		known := window.Window[opsec.ID, uint64]{Size: readRemember}
		seed := maphash.MakeSeed()
		for n := 1; ; n++ {
			line, err := readLine(lines)
			if err == io.EOF {
				return
			}
			if err != nil && !errors.Is(err, opsec.ErrInvalid) {
				yield(opsec.Event{}, fmt.Errorf("audit: line %d: %w", n, err))
				return
			}
			var e opsec.Event
			if err == nil {
				err = parse(line, &e)
			}
			sum := maphash.Bytes(seed, line)
			if before, ok := known.Get(e.ID); ok && err == nil {
				if before == sum {
					continue
				}
				err = fmt.Errorf("another event has the id %s: %w", e.ID, opsec.ErrInvalid)
			}
			if err == nil {
				known.Put(e.ID, sum)
			} else {
				err = &LineError{Line: n, Err: err}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// ReadFile is [Read] of the file at path.
func ReadFile(path string) iter.Seq2[opsec.Event, error] {
	return func(yield func(opsec.Event, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(opsec.Event{}, fmt.Errorf("audit: %w", err))
			return
		}
		defer f.Close()
		Read(f)(yield)
	}
}

func parse(line []byte, e *opsec.Event) error {
	if json.Unmarshal(line, e) != nil { // its error may quote the line
		return fmt.Errorf("%d bytes that are not the JSON of an event: %w", len(line), opsec.ErrInvalid)
	}
	return e.Validate()
}

// readLine returns a line without its newline, io.EOF behind the last, and an error wrapping [opsec.ErrInvalid] for a
// line too long, which it skips, or without its newline.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	size := 0
	for {
		part, err := r.ReadSlice('\n')
		size += len(part)
		if size <= maxLine {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && size == 0:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case size > maxLine:
			return nil, fmt.Errorf("%d bytes, want at most %d: %w", size, maxLine, opsec.ErrInvalid)
		case err == io.EOF:
			return nil, fmt.Errorf("%d bytes without the newline, torn: %w", size, opsec.ErrInvalid)
		}
		return bytes.TrimSuffix(line, []byte("\n")), nil
	}
}
