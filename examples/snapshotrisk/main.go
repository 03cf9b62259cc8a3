// Snapshotrisk reads the headers of disk images and says what their chains put at risk: how likely each restore point can still be used, what
// hangs on a single file, and what is wrong. Exit 0: nothing found; 1: there are findings; 2: wrong use or input.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

func main() {
	asJSON := flag.Bool("json", false, "print the report as JSON")
	p := flag.Float64("p", 0.01, "how likely one file is bad, above 0, at most 1")
	profile := flag.String("profile", "", "limits to hold chains to: vmware, beta9 or opsec")
	svg := flag.String("svg", "", "`file` to draw the graph into")
	dot := flag.String("dot", "", "`file` to write the graph into, for Graphviz")
	destroy := flag.String("destroy", "", "`image` to ask about: what is lost with it?")
	budget := flag.Int64("flatten", 0, "`bytes` that may be written to make chains safer; 0: no plan")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: snapshotrisk [flags] PATH... (images, libvirt's XML, JSON documents, or folders of them)")
		flag.PrintDefaults()
	}
	flag.Parse()
	script.Exit(run(script.Interruptible(), os.Stdout, options{*asJSON, *p, *profile, *svg, *dot, *destroy, *budget}, flag.Args()))
}

type options struct {
	json                       bool
	p                          float64
	profile, svg, dot, destroy string
	budget                     int64
}

func run(ctx context.Context, w io.Writer, o options, paths []string) error {
	switch {
	case len(paths) == 0:
		return errors.New("name images or folders; -h for help")
	case o.json && (o.destroy != "" || o.budget != 0):
		return errors.New("-destroy and -flatten are answered in text, without -json")
	}
	found, err := image.Scan(ctx, paths...)
	if err != nil {
		return err
	}
	graph, err := found.Graph()
	if err != nil {
		return err
	}
	var limits *snapshot.Profile
	if o.profile != "" {
		named, ok := snapshot.ProfileNamed(o.profile)
		if !ok {
			return fmt.Errorf("profile %q is not known: want vmware, beta9 or opsec", o.profile)
		}
		limits = &named
	}
	model := snapshot.FailureModel{P: o.p, Now: time.Now()}
	report, err := graph.Analyze(model, limits)
	if err != nil {
		return err
	}
	report.Add(found.Findings...)
	var answers bytes.Buffer
	if err := ask(&answers, graph, model, o); err != nil {
		return err
	}
	if o.json {
		err = report.WriteJSON(w)
	} else {
		err = report.WriteText(w)
	}
	for name, draw := range map[string]func(io.Writer) error{o.svg: report.WriteSVG, o.dot: report.WriteDOT} {
		if name != "" {
			err = errors.Join(err, wholefile.Write(name, 0o644, draw))
		}
	}
	if err == nil {
		_, err = answers.WriteTo(w)
	}
	if err == nil && len(report.Findings) > 0 {
		err = script.ErrFindings
	}
	return err
}

// ask says what would be lost with an image, and what could be done.
func ask(w io.Writer, graph *snapshot.Graph, model snapshot.FailureModel, o options) error {
	if o.destroy != "" {
		id := o.destroy
		if _, ok := graph.Find(id); !ok { // a file's name, as the shell knows it; images are known by where they really are
			if abs, err := filepath.Abs(id); err == nil {
				id = abs
			}
			if real, err := filepath.EvalSymlinks(id); err == nil {
				id = real
			}
		}
		loss, err := graph.Destroy(id)
		if err != nil {
			return fmt.Errorf("-destroy: want a file, or a name as the report tells it: %w", err)
		}
		fmt.Fprintf(w, "\n%d restore points are lost with %s:\n", loss.Points, snapshot.Quote(id))
		for v := range loss.All() {
			fmt.Fprintln(w, " ", snapshot.Quote(graph.ID(v)))
		}
	}
	if o.budget != 0 {
		plan, err := graph.Flatten(model, snapshot.Budget{Bytes: o.budget})
		if err != nil {
			return err
		}
		fmt.Fprintln(w)
		return plan.WriteText(w)
	}
	return nil
}
