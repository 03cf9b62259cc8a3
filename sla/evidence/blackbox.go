package evidence

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
)

// BlackboxLog reads a log of Prometheus' blackbox exporter, in logfmt or JSON, as it is written at the level debug: lines with
// the message "Probe succeeded" or "Probe failed". Other lines say nothing, nor do those whose target is not a resource: resource
// gives the resource of a module and a target, or "" for none. Nil: it is the target.
//
// The results go into a track, which holds those that are not over at the end of the log: the next part of the log goes into
// the same one, and [Track.End] ends it. A result is of the moment when its probe began, but not before the last of its
// resource. The first error, an [*Error] or one of r, ends the sequence. A line is at most 64 KiB; the number of lines has no
// bound, and they are not kept.
//
// At the level info newer exporters write failures alone. Then nothing but failures is known: the time between is unknown.
func BlackboxLog(r io.Reader, name string, track *Track, resource func(module, target string) string) iter.Seq2[meter.Evidence, error] {
	return func(yield func(meter.Evidence, error) bool) {
		for n, line := range lines(r, name) {
			if line.err != nil {
				yield(meter.Evidence{}, line.err)
				return
			}
			p, ok, err := probeOf(strings.TrimSpace(line.text))
			of := p.target
			if ok && err == nil && resource != nil {
				of = resource(p.module, p.target)
			}
			if err == nil && (!ok || of == "") {
				continue
			}
			var e meter.Evidence
			if err == nil {
				at := p.at
				if h := track.held[series{track.Source, of}]; h != nil {
					at = max(at, h.last)
				}
				if e, ok, err = track.Add(of, at, p.state); err == nil && (!ok || yield(e, nil)) {
					continue
				}
			}
			if err != nil {
				yield(meter.Evidence{}, &Error{File: name, Line: n, Reason: strings.TrimPrefix(err.Error(), "evidence: ")})
			}
			return
		}
	}
}

// probed is a result in a log.
type probed struct {
	module, target string
	at             int64
	state          meter.State
}

// probeOf reads a line; false: it is not of the end of a probe.
func probeOf(text string) (p probed, ok bool, err error) {
	if !strings.Contains(text, "Probe succeeded") && !strings.Contains(text, "Probe failed") {
		return p, false, nil
	}
	fields, ok := fieldsOf(text)
	if !ok {
		return p, false, errors.New("is neither logfmt nor JSON")
	}
	switch fields["msg"] {
	case "Probe succeeded":
		p.state = meter.Up
	case "Probe failed":
		p.state = meter.Down
	default:
		return p, false, nil
	}
	p.module, p.target = fields["module"], fields["target"]
	stamp := fields["ts"] // until version 0.25
	if stamp == "" {
		stamp = fields["time"]
	}
	end, err := moment(stamp)
	if err != nil {
		return p, false, err
	}
	took, err := strconv.ParseFloat(fields["duration_seconds"], 64)
	if err != nil || !(took >= 0 && took <= maxGap.Seconds()) {
		return p, false, errors.New("duration_seconds: want seconds")
	}
	if p.at = end.Add(-time.Duration(math.Round(took * 1e9))).UnixMilli(); !moments(p.at) {
		return p, false, errMoment
	}
	if p.target == "" {
		return p, false, errors.New("target: is missing")
	}
	return p, true, nil
}

// fieldsOf reads a line of logfmt or JSON; of a field that stands twice the first holds. Values that are not texts or numbers are left out.
func fieldsOf(text string) (map[string]string, bool) {
	fields := map[string]string{}
	if strings.HasPrefix(text, "{") {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var all map[string]any
		if d.Decode(&all) != nil || d.More() {
			return nil, false
		}
		for k, v := range all {
			switch v := v.(type) {
			case string:
				fields[k] = v
			case json.Number:
				fields[k] = v.String()
			}
		}
		return fields, true
	}
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		end := strings.IndexAny(text, " =\"")
		if end <= 0 || text[end] != '=' {
			return nil, false
		}
		key := text[:end]
		text = text[end+1:]
		var value string
		if strings.HasPrefix(text, `"`) {
			q, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, false
			}
			value, _ = strconv.Unquote(q)
			text = text[len(q):]
			if text != "" && text[0] != ' ' {
				return nil, false
			}
		} else {
			value, text, _ = strings.Cut(text, " ")
		}
		if _, twice := fields[key]; !twice {
			fields[key] = value
		}
	}
	return fields, true
}
