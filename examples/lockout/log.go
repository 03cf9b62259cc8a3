package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a log.
const (
	maxLine    = 8 << 10 // bytes
	maxLines   = 100_000_000
	maxAccount = 1 << 10 // bytes of each text
)

// attempt is a line of the log.
type attempt struct {
	Time    time.Time  `json:"t"`
	Account string     `json:"account"`
	Source  netip.Addr `json:"source"`
	Device  string     `json:"device"` // that has shown a token; empty when there was none
	Secret  string     `json:"secret"` // a tag of it, which is the same for the same secret; may be empty
	OK      *bool      `json:"ok"`
}

func (a *attempt) valid() bool {
	return a.Time.Unix() >= 0 && a.Account != "" && max(len(a.Account), len(a.Device), len(a.Secret)) <= maxAccount && a.OK != nil
}

// attempts reads a log. An error names the line, and shows nothing of it: somebody may have typed a secret into the wrong field.
func attempts(r io.Reader) iter.Seq2[attempt, error] {
	return func(yield func(attempt, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(make([]byte, 0, maxLine), maxLine)
		last := time.Time{}
		line := 0
		for in.Scan() {
			line++
			var a attempt
			err := strictjson.Decode(in.Bytes(), &a)
			switch {
			case line > maxLines:
				err = fmt.Errorf("%d: a log of more than %d lines", line, maxLines)
			case err != nil || !a.valid():
				err = fmt.Errorf("%d: want an object with t (RFC 3339, from 1970 on), account and ok, perhaps with source (an IP address), device and secret", line)
			case a.Time.Before(last):
				err = fmt.Errorf("%d: earlier than the line before it; sort the log", line)
			}
			if last = a.Time; !yield(a, err) || err != nil {
				return
			}
		}
		switch err := in.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(attempt{}, fmt.Errorf("%d: a line of more than %d bytes", line+1, maxLine))
		case err != nil:
			yield(attempt{}, fmt.Errorf("%d: %w", line+1, err))
		}
	}
}
