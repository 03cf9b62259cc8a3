package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec/internal/wholefile"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/metric"
)

// fault is what is wrong with a resource of the local server for a while.
type fault struct {
	resource string // "" is the network of the prober itself
	start    string // local time in Berlin
	length   time.Duration
	how      string // "refuses", "slow"
}

// faults are those of the sample: March 2026.
var faults = []fault{
	{"vm-1", "2026-03-04 09:12", 4 * time.Minute, "refuses"}, // too short to count for a machine, which takes five minutes in a row
	{"vm-2", "2026-03-09 14:03", 22 * time.Minute, "refuses"},
	{"storage", "2026-03-17 11:00", 15 * time.Minute, "slow"},
	{"storage", "2026-03-22 02:00", 2 * time.Hour, "refuses"}, // announced
	{"vm-3", "2026-03-25 03:30", 5 * time.Hour, "refuses"},
	{"", "2026-03-29 03:05", 20 * time.Minute, "refuses"},
}

// probe makes a month of probes, one a minute, of a server on this machine that fails as the faults say. The month passes in seconds: prober
// and server share a clock that moves on when the prober waits.
func probe(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	month := flags.String("month", "2026-03", "`month` that passes")
	out := flags.String("out", "", "CSV `file` to write; required")
	if err := parse(); err != nil {
		return err
	}
	if *out == "" || flags.NArg() > 0 {
		return errors.New("usage: slareport probe -out FILE.csv [-month 2026-03]; -h lists the flags")
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	span, err := metric.Window{Calendar: "month", Zone: berlin.String()}.Period(*month)
	if err != nil {
		return err
	}
	s, err := serve(span.Start, berlin)
	if err != nil {
		return err
	}
	defer s.server.Close()

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	check := func(name string, slow time.Duration) evidence.Check {
		return &evidence.HTTP{URL: "http://" + s.address + "/" + name, Slow: slow, Client: client}
	}
	var targets []evidence.Target
	for _, name := range []string{"vm-1", "vm-2", "vm-3", "storage"} {
		targets = append(targets, evidence.Target{Resource: name, Check: check(name, 500*time.Millisecond)})
	}
	p, err := evidence.NewProber(targets, evidence.ProbePolicy{
		Source: "probe-berlin", Interval: time.Minute, Timeout: 10 * time.Second, Gap: 2 * time.Minute, Join: 24 * time.Hour, Parallel: 4,
	}, &evidence.ProbeOptions{Now: s.now, Wait: s.wait, Until: time.UnixMilli(span.End), Control: check("", 0)})
	if err != nil {
		return err
	}
	return wholefile.Write(*out, 0o644, func(w io.Writer) error {
		csv, err := evidence.NewWriter(w, "resource", "start", "end", "state")
		if err != nil {
			return err
		}
		return errors.Join(p.Run(ctx, csv.Write), ctx.Err(), csv.Flush())
	})
}

// local is a server on this machine, with a clock of its own.
type local struct {
	address string
	server  *http.Server
	clock   atomic.Int64 // milliseconds since 1970
}

func (s *local) now() time.Time { return time.UnixMilli(s.clock.Load()) }

func (s *local) wait(ctx context.Context, d time.Duration) error {
	s.clock.Add(d.Milliseconds())
	return ctx.Err()
}

func serve(from int64, zone *time.Location) (*local, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &local{address: l.Addr().String()}
	s.clock.Store(from)
	wrong := func(resource string) string {
		for _, f := range faults {
			start, err := time.ParseInLocation("2006-01-02 15:04", f.start, zone)
			if since := s.now().Sub(start); err == nil && f.resource == resource && since >= 0 && since < f.length {
				return f.how
			}
		}
		return ""
	}
	s.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		how := wrong(strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case how == "refuses" || wrong("") != "":
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return
		case how == "slow":
			time.Sleep(600 * time.Millisecond)
		}
		fmt.Fprintln(w, "here")
	})}
	go s.server.Serve(l)
	return s, nil
}
