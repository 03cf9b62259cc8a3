package main

import (
	"fmt"
	"io"
	"time"
)

// report is what has come of it. Times are in milliseconds.
type report struct {
	Killed       time.Time `json:"killed"`
	Acknowledged int       `json:"acknowledged"` // orders
	Worst        int64     `json:"exposure_worst_ms"`
	P99          int64     `json:"exposure_p99_ms"`
	Exposed      int64     `json:"exposed_ms"` // when the primary was killed
	LostSpan     int64     `json:"lost_ms"`    // from the first order that was lost until then
	Lost         int       `json:"lost"`       // orders that were acknowledged
	Took         int64     `json:"took_ms"`    // until the next order was acknowledged
	First        uint64    `json:"former_token"`
	Second       uint64    `json:"token"`
	Fenced       bool      `json:"fenced"` // the former primary came back with its token, and was refused
	Same         bool      `json:"same"`   // in the end both sites held the same, and nothing else was missing
}

func ms(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }

func (r report) good() bool {
	return r.LostSpan <= r.Exposed && r.Fenced && r.Same && r.Second > r.First
}

// WriteText writes the report for people.
func (r report) WriteText(w io.Writer) error {
	_, err := fmt.Fprintf(w, `exposure before the failure   %d ms at worst, %d ms for 99 %% of the time
exposed at the failure        %d ms
lost                          %d of %d acknowledged orders, the oldest %d ms before the failure
taken over after              %d ms, token %d after %d
former primary came back      fenced: %t
both sites hold the same      %t
`, r.Worst, r.P99, r.Exposed, r.Lost, r.Acknowledged, r.LostSpan, r.Took, r.Second, r.First, r.Fenced, r.Same)
	return err
}
