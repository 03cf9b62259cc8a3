// Retention says which restore points a policy keeps and which it lets go, and why. It deletes nothing. Exit 0: nothing was found; 1: there
// are findings, such as claimed times that are not believed or chains with gaps; 2: wrong use or input.
//
//	retention -points points.jsonl -policy policy.json
package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	maxLine   = 1 << 20
	maxPoints = 5_000_000
)

func main() { script.Exit(run(os.Args[1:])) }

func run(args []string) error {
	flags := flag.NewFlagSet("retention", flag.ContinueOnError)
	points := flags.String("points", "", "`file` of points: a JSON object a line, or CSV with a head (name ends in .csv); required")
	policy := flags.String("policy", "", "`file` of the policy, YAML or JSON; required")
	than := flags.String("than", "", "`file` of a policy to compare with: tells what -policy lets go that this one keeps")
	at := flags.String("at", "", "`time` to plan for, RFC 3339 (default: now)")
	asJSON := flags.Bool("json", false, "print the result as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *points == "" || *policy == "" || flags.NArg() > 0 {
		return errors.New("usage: retention -points FILE -policy FILE [-than FILE] [-at TIME] [-json]; -h lists the flags")
	}
	now := time.Now()
	if *at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, *at); err != nil {
			return fmt.Errorf("-at: %w", err)
		}
	}
	p, err := read(*policy, retention.ParsePolicy)
	if err != nil {
		return err
	}
	parse := readLines
	if strings.HasSuffix(*points, ".csv") {
		parse = readCSV
	}
	list, err := read(*points, parse)
	if err != nil {
		return err
	}
	r, err := retention.Plan(list, p, now)
	if err != nil {
		return err
	}
	out := report{Result: r}
	if *than != "" {
		old, err := read(*than, retention.ParsePolicy)
		if err != nil {
			return err
		}
		if out.Shortened, err = retention.Shortened(old, p, list, now); err != nil {
			return err
		}
	}
	return script.Print(out, *asJSON, len(r.Findings) == 0)
}

// report is the result, and what a change of policy would cost.
type report struct {
	retention.Result
	Shortened []string `json:"shortened,omitempty"`
}

// WriteText writes the result, and what a change would cost.
func (r report) WriteText(w io.Writer) error {
	err := r.Result.WriteText(w)
	for _, id := range r.Shortened {
		if err == nil {
			_, err = fmt.Fprintf(w, "the other policy keeps %s\n", strconv.Quote(id))
		}
	}
	return err
}

func read[T any](name string, parse func(io.Reader) (T, error)) (v T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	if v, err = parse(f); err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// readLines reads a retention.Point of each line that is not empty.
func readLines(r io.Reader) (list []retention.Point, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var p retention.Point
		if err := strictjson.Decode(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if list = append(list, p); len(list) > maxPoints {
			return nil, fmt.Errorf("line %d: more than %d points", n, maxPoints)
		}
	}
	return list, lines.Err()
}

// columns are those of CSV. Lists have spaces between their parts, times are of RFC 3339.
var columns = map[string]func(p *retention.Point, text string) error{
	"id":           func(p *retention.Point, s string) error { p.ID = s; return nil },
	"group":        func(p *retention.Point, s string) error { p.Group = s; return nil },
	"claimed":      func(p *retention.Point, s string) error { return moment(&p.Claimed, s) },
	"received":     func(p *retention.Point, s string) error { return moment(&p.Received, s) },
	"parents":      func(p *retention.Point, s string) error { p.Parents = strings.Fields(s); return nil },
	"tags":         func(p *retention.Point, s string) error { p.Tags = strings.Fields(s); return nil },
	"verified":     func(p *retention.Point, s string) error { return moment(&p.Verified, s) },
	"replicated":   func(p *retention.Point, s string) (err error) { p.Replicated, err = strconv.ParseBool(s); return err },
	"hold":         func(p *retention.Point, s string) error { p.Hold = s; return nil },
	"locked_until": func(p *retention.Point, s string) error { return moment(&p.Locked, s) },
}

func moment(t *time.Time, text string) (err error) {
	*t, err = time.Parse(time.RFC3339, text)
	return err
}

func readCSV(r io.Reader) (list []retention.Point, err error) {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	row, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("no head: want the names of columns in the first line")
	}
	if err != nil {
		return nil, err
	}
	head := slices.Clone(row)
	for i, name := range head {
		if columns[name] == nil || slices.Contains(head[:i], name) {
			return nil, fmt.Errorf("column %q: not known, or there twice", name)
		}
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		var p retention.Point
		for i, text := range row {
			if text == "" {
				continue
			}
			if err := columns[head[i]](&p, text); err != nil {
				line, _ := rows.FieldPos(i)
				return nil, fmt.Errorf("line %d: %s: %w", line, head[i], err)
			}
		}
		if list = append(list, p); len(list) > maxPoints {
			return nil, fmt.Errorf("more than %d points", maxPoints)
		}
	}
}
