package ical

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

// Options says how to read. Nil stands for the zero value.
type Options struct {
	// Zone is the IANA name of the zone for times that name none. Whole days without it are read as holidays, but not
	// as windows: what they are is empty in [calendar.Window].Zone.
	Zone string
	// Zones gives the IANA names of zones that have others in the file: "W. Europe Standard Time".
	Zones map[string]string
	// MaxBytes and MaxEvents bound the file. Default: 4 MiB, 5,000. Of the events, 500 may recur.
	MaxBytes, MaxEvents int
}

const maxRecurring = 500

// File is what was read.
type File struct {
	Events []Event
}

// Event is an event that is not cancelled: once, or a series without the times that were cancelled or moved.
type Event struct {
	UID    string
	AllDay bool // whole days, wherever one is
	// Window has the event's summary as its name, or else its UID, and no kind yet.
	Window calendar.Window
}

// Windows returns the events as windows of a kind.
func (f *File) Windows(kind calendar.Kind) []calendar.Window {
	windows := make([]calendar.Window, len(f.Events))
	for i, e := range f.Events {
		windows[i] = e.Window
		windows[i].Kind = kind
	}
	return windows
}

// Holidays returns the events of whole days as holidays. Other events are none.
func (f *File) Holidays() (*calendar.Days, error) {
	var windows []calendar.Window
	for _, e := range f.Events {
		if e.AllDay {
			w := e.Window
			w.Zone = cmp.Or(w.Zone, "UTC")
			windows = append(windows, w)
		}
	}
	return calendar.DaysOf(windows)
}

// EventError says what is wrong with an event. It wraps [opsec.ErrInvalid].
type EventError struct {
	UID, Summary string
	Line         int // at which the event begins
	Err          error
}

func (e *EventError) Error() string {
	return fmt.Sprintf("ical: line %d: event %.80q (uid %.80q): %v", e.Line, e.Summary, e.UID, e.Err)
}

// Unwrap returns what is wrong.
func (e *EventError) Unwrap() error { return e.Err }

// Read reads a stream of iCalendar objects. The error wraps [opsec.ErrInvalid] or is the reader's; up to ten events
// that are wrong are joined in it, each as an [*EventError].
func Read(r io.Reader, o *Options) (*File, error) {
	if o == nil {
		o = &Options{}
	}
	z := &zones{own: o.Zone, names: o.Zones, loaded: map[string]*time.Location{}}
	if o.Zone != "" {
		if _, err := z.load(o.Zone); err != nil {
			return nil, fmt.Errorf("ical: Options.Zone: %w", err)
		}
	}
	if o.MaxBytes < 0 || o.MaxEvents < 0 {
		return nil, fmt.Errorf("ical: Options: a limit is negative: %w", opsec.ErrInvalid)
	}
	most := cmp.Or(o.MaxBytes, 4<<20)
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("ical: %w", err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("ical: more than %d bytes: %w", most, opsec.ErrInvalid)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // the byte order mark that some programs write
	raws, err := components(text, cmp.Or(o.MaxEvents, 5000))
	if err != nil {
		return nil, err
	}
	return assemble(raws, z)
}

// raw is an event as it stands in the file.
type raw struct {
	number int
	props  map[string][]line
}

// components checks the nesting of a file and collects its events.
func components(text []byte, most int) (events []raw, err error) {
	var stack []string
	calendars := 0
	in := lines{rest: text}
	for {
		l, ok, err := in.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		wrong := func(why string) error {
			return fmt.Errorf("ical: line %d: %s: %w", l.number, why, opsec.ErrInvalid)
		}
		depth := len(stack)
		switch name := strings.ToUpper(l.value); {
		case l.name == "BEGIN":
			if (name == "VCALENDAR") != (depth == 0) || name == "VEVENT" && depth != 1 || depth == maxDepth {
				return nil, wrong(fmt.Sprintf("BEGIN:%.40q has no place here", l.value))
			}
			stack = append(stack, name)
			if depth == 0 {
				calendars++
			}
			if name == "VEVENT" {
				if len(events) == most {
					return nil, wrong(fmt.Sprintf("more than %d events", most))
				}
				events = append(events, raw{l.number, map[string][]line{}})
			}
		case depth == 0:
			return nil, wrong("not an iCalendar file: no BEGIN:VCALENDAR")
		case l.name == "END":
			if stack[depth-1] != name {
				return nil, wrong(fmt.Sprintf("END:%.40q in %.40q", l.value, stack[depth-1]))
			}
			stack = stack[:depth-1]
		case depth == 1 && l.name == "VERSION" && l.value != "2.0":
			return nil, wrong(fmt.Sprintf("version %.20q, want 2.0", l.value))
		case depth == 1 && l.name == "METHOD" && name == "CANCEL":
			return nil, wrong("a message that cancels events, not a calendar")
		case depth == 2 && stack[1] == "VEVENT":
			e := events[len(events)-1]
			e.props[l.name] = append(e.props[l.name], l)
		}
	}
	if calendars == 0 || len(stack) > 0 {
		return nil, fmt.Errorf("ical: the file ends before its last END:VCALENDAR: %w", opsec.ErrInvalid)
	}
	return events, nil
}

// assemble turns events into windows, and takes the times that were moved or cancelled out of their series.
func assemble(raws []raw, z *zones) (*File, error) {
	f := &File{}
	var errs []error
	var parsed []event
	recurring := 0
	for _, r := range raws {
		e, err := z.parse(r)
		if err == nil && e.Window.Rule != "" {
			if recurring++; recurring > maxRecurring {
				err = fmt.Errorf("more than %d events recur: %w", maxRecurring, opsec.ErrInvalid)
			}
		}
		if err != nil {
			errs = append(errs, r.wrong(err))
		}
		if len(errs) == 10 {
			break
		}
		parsed = append(parsed, e)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	series := map[string]*event{}
	for i := range parsed {
		e := &parsed[i]
		if e.instead != nil || e.UID == "" {
			continue
		}
		if series[e.UID] != nil {
			return nil, e.raw.wrong(fmt.Errorf("its UID stands twice: %w", opsec.ErrInvalid))
		}
		series[e.UID] = e
	}
	for i := range parsed {
		e := &parsed[i]
		if e.instead == nil || series[e.UID] == nil || series[e.UID].cancelled {
			continue
		}
		of := series[e.UID]
		of.Window.Except = append(of.Window.Except, e.instead.in(of.Window.Zone, of.loc).Date)
	}
	for _, e := range parsed {
		if e.cancelled {
			continue
		}
		w := e.Window
		w.Zone, w.Kind = cmp.Or(w.Zone, "UTC"), calendar.Freeze
		if err := w.Validate(); err != nil {
			errs = append(errs, e.raw.wrong(err))
			if len(errs) == 10 {
				break
			}
		}
		slices.SortFunc(e.Window.Except, calendar.Date.Compare)
		e.Window.Except = slices.Compact(e.Window.Except)
		f.Events = append(f.Events, e.Event)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return f, nil
}
