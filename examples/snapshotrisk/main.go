// Snapshotrisk reads the headers of disk images and says what their chains put at risk: how likely each restore point can still be used, what
// hangs on a single file, and what is wrong. Exit 0: nothing found; 1: there are findings; 2: wrong use or input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

func main() {
	asJSON := flag.Bool("json", false, "print the report as JSON")
	p := flag.Float64("p", 0.01, "how likely one file is bad, from 0 to 1")
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
	if len(paths) == 0 {
		return errors.New("name images or folders; -h for help")
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
			return fmt.Errorf("profile %q is not known", o.profile)
		}
		limits = &named
	}
	model := snapshot.FailureModel{P: o.p, Now: time.Now()}
	report, err := graph.Analyze(model, limits)
	if err != nil {
		return err
	}
	report.Add(found.Findings...)
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
	if err == nil && !o.json {
		err = ask(w, graph, model, o)
	}
	if err == nil && len(report.Findings) > 0 {
		err = script.ErrFindings
	}
	return err
}

// ask says what would be lost with an image, and what could be done.
func ask(w io.Writer, graph *snapshot.Graph, model snapshot.FailureModel, o options) error {
	if o.destroy != "" {
		loss, err := graph.Destroy(o.destroy)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n%d restore points are lost with %s:\n", loss.Points, snapshot.Quote(o.destroy))
		for v := range loss.All() {
			fmt.Fprintln(w, " ", snapshot.Quote(graph.ID(v)))
		}
	}
	if o.budget > 0 {
		plan, err := graph.Flatten(model, snapshot.Budget{Bytes: o.budget})
		if err != nil {
			return err
		}
		fmt.Fprintln(w)
		return plan.WriteText(w)
	}
	return nil
}
