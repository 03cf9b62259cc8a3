package retention

import (
	"strconv"
	"strings"
	"time"
)

// Span is a time back from a moment, in years, months and days of the calendar and in hours. In JSON it is a text such as "1y6m", "14d"
// or "36h", as restic and borg write it; the empty one is none.
type Span struct{ Years, Months, Days, Hours int }

const maxSpan = 100_000 // of each unit

// ParseSpan reads a span: whole numbers with the units y, m, d and h, each at most once and in that order.
func ParseSpan(s string) (p Span, err error) {
	rest, units := s, "ymdh"
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if n <= 0 {
			return Span{}, invalid("span %q: want numbers with the units y, m, d, h", s)
		}
		at := strings.IndexByte(units, rest[n])
		if at < 0 {
			return Span{}, invalid("span %q: the units are y, m, d, h, in that order", s)
		}
		count, err := strconv.Atoi(rest[:n])
		if err != nil || count > maxSpan {
			return Span{}, invalid("span %q: more than %d of a unit", s, maxSpan)
		}
		switch units[at] {
		case 'y':
			p.Years = count
		case 'm':
			p.Months = count
		case 'd':
			p.Days = count
		default:
			p.Hours = count
		}
		rest, units = rest[n+1:], units[at+1:]
	}
	return p, nil
}

// Before returns the moment that is the span before t. Years, months and days are those of t's zone: a day may have 23 or 25 hours.
func (p Span) Before(t time.Time) time.Time {
	return t.AddDate(-p.Years, -p.Months, -p.Days).Add(-time.Duration(p.Hours) * time.Hour)
}

// String returns the span as [ParseSpan] reads it.
func (p Span) String() string {
	var b strings.Builder
	for _, part := range []struct {
		n    int
		unit byte
	}{{p.Years, 'y'}, {p.Months, 'm'}, {p.Days, 'd'}, {p.Hours, 'h'}} {
		if part.n != 0 {
			b.WriteString(strconv.Itoa(part.n))
			b.WriteByte(part.unit)
		}
	}
	return b.String()
}

func (p Span) validate() error {
	for _, n := range []int{p.Years, p.Months, p.Days, p.Hours} {
		if n < 0 || n > maxSpan {
			return invalid("span %s: each part is from 0 to %d", p, maxSpan)
		}
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p Span) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Span) UnmarshalText(b []byte) error {
	s, err := ParseSpan(string(b))
	if err == nil {
		*p = s
	}
	return err
}
