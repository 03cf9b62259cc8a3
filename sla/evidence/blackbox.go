package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
// Each module and target is a source of its own: where two of one resource differ, the worse holds. It is called after the
// track, such as log/http_2xx, with the beginning of the target's SHA-256 behind it unless the target is the resource: a
// target may hold a secret.
//
// The results go into the track, which holds those that are not over at the end of the log: the next part of the log goes into
// the same one, and [Track.End] ends it. A result is of the moment when its probe began, but not before the last of its
// source. The first error, an [*Error] or one of r, ends the sequence. A line is at most 64 KiB; the number of lines has no
// bound, and they are not kept.
//
// At the level info newer exporters write failures alone. Then nothing but failures is known, each for Gap, and the time
// between is unknown.
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
				from := series{p.source(track.Source, of), of}
				at := p.at
				if h := track.held[from]; h != nil {
					at = max(at, h.last)
				}
				if e, ok, err = track.add(from, at, p.state); err == nil && (!ok || yield(e, nil)) {
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

// source names the module and the target of a result about a resource.
func (p probed) source(source, resource string) string {
	name := p.module
	if p.target != resource {
		sum := sha256.Sum256([]byte(p.target))
		name += "/" + hex.EncodeToString(sum[:8])
	}
	return sourceOf(source, name)
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
		if !json.Valid([]byte(text)) {
			return nil, false
		}
		d.Token() // the brace
		for d.More() {
			key, _ := d.Token()
			var value any
			if d.Decode(&value) != nil {
				return nil, false
			}
			switch v := value.(type) {
			case string, json.Number:
				if _, twice := fields[key.(string)]; !twice {
					fields[key.(string)] = fmt.Sprint(v)
				}
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
