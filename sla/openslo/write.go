package openslo

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// writer gathers documents.
type writer struct {
	docs []*yaml.Node
	lost []Loss
	ids  map[string]bool // such as "SLO/search"
}

// YAML returns a Service for each service and an SLO for each objective, in OpenSLO v1, and what of them is lost. An
// objective that OpenSLO would give another meaning is not written. The indicator of an objective that has no [Source] is
// referred to by the objective's id, for somebody to define. The error wraps [opsec.ErrInvalid]: names that are missing or
// stand twice, or a Source that is not YAML.
func (d Document) YAML() ([]byte, []Loss, error) {
	w := &writer{ids: map[string]bool{}}
	for i := range d.Services {
		s := &d.Services[i]
		if err := w.service(s); err != nil {
			return nil, nil, err
		}
		for j := range s.Objectives {
			o := &s.Objectives[j]
			source, ok := d.Sources[o.ID]
			if err := w.objective(s, o, source, ok); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.Sources)) {
		if !w.ids["SLO/"+id] {
			w.lose("Source/"+clip(id), "no objective has this id")
		}
	}
	if len(w.docs) == 0 {
		return nil, w.lost, nil
	}
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out)
	if err != nil {
		return nil, nil, invalid("%w", err)
	}
	for _, n := range w.docs {
		if err := dumper.Dump(n); err != nil {
			return nil, nil, invalid("%w", err)
		}
	}
	if err := dumper.Close(); err != nil {
		return nil, nil, invalid("%w", err)
	}
	return out.Bytes(), w.lost, nil
}

// portable are the names that every tool takes (RFC 1123).
var portable = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// name checks the name of a document, and returns its path.
func (w *writer) name(kind, name, title string) (path string, err error) {
	id := kind + "/" + name
	path = kind + "/" + clip(name)
	switch {
	case !nameForm.MatchString(name):
		return "", invalid("%s: id: want up to 119 letters, digits, dots, dashes and underscores", path)
	case w.ids[id]:
		return "", invalid("%s: it stands twice", path)
	case !good(title):
		return "", invalid("%s: title: want up to %d bytes of UTF-8", path, maxText)
	}
	w.ids[id] = true
	if !portable.MatchString(name) {
		w.lose(path, "not all tools take its name: 63 small letters, digits and dashes")
	}
	return path, nil
}

// good reports whether a text can be read again.
func good(s string) bool { return len(s) <= maxText && utf8.ValidString(s) }

func (w *writer) lose(path, form string, args ...any) {
	w.lost = append(w.lost, Loss{Path: path, Text: fmt.Sprintf(form, args...)})
}

func (w *writer) service(s *sla.Service) error {
	path, err := w.name("Service", s.ID, s.Title)
	if err != nil {
		return err
	}
	if len(s.Resources) > 0 {
		w.lose(path, "its resources")
	}
	if len(s.DependsOn) > 0 {
		w.lose(path, "what it depends on")
	}
	w.docs = append(w.docs, document("Service", s.ID, s.Title, fields(nil)))
	return nil
}

func (w *writer) objective(s *sla.Service, o *metric.Objective, source Source, sourced bool) error {
	path, err := w.name("SLO", o.ID, o.Title)
	if err != nil {
		return err
	}
	before := len(w.lost)
	method, objective, why := w.reckoning(path, o)
	window, whyWindow := timeWindow(o.Window)
	if why == "" {
		why = whyWindow
	}
	if why == "" {
		if err := o.Validate(); err != nil {
			why = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	}
	if why != "" {
		w.lost = append(w.lost[:before], Loss{Path: path, Text: why, Whole: true})
		return nil
	}
	if o.Scope != "" {
		w.lose(path, "its scope, %s", clip(o.Scope))
	}
	if !sourced {
		w.lose(path, "where its figures come from is not known: define an SLI %s", o.ID)
		source = Source{Indicator: o.ID}
	}
	if source.Op != "" {
		objective = append(objective, text("op"), text(source.Op))
	}
	if source.Value != "" {
		objective = append(objective, text("value"), number(source.Value))
	}
	spec := []*yaml.Node{text("service"), text(s.ID)}
	indicator, err := indicator(path, source)
	if err != nil {
		return err
	}
	spec = append(spec, indicator...)
	spec = append(spec, text("timeWindow"), list(window), text("budgetingMethod"), text(method), text("objectives"), list(fields(objective)))
	w.docs = append(w.docs, document("SLO", o.ID, o.Title, fields(spec)))
	return nil
}

// reckoning returns the budgeting method and the fields of an objective, or why there is none that is the same.
func (w *writer) reckoning(path string, o *metric.Objective) (method string, out []*yaml.Node, why string) {
	goal, ok := fraction(o.Target)
	switch {
	case !ok:
		return "", nil, fmt.Sprintf("its target of %s is no decimal fraction of up to 17 digits", o.Target)
	case o.Target.Cmp(ratio.One()) >= 0:
		return "", nil, "targets of OpenSLO are less than 100%"
	}
	size := o.Slice
	out = []*yaml.Node{text("target"), number(goal)}
	switch {
	case o.Method == metric.Requests:
		method = "Occurrences"
		if o.Slice != 0 {
			w.lose(path, "the time that its counts cover")
		}
	case o.Method == metric.MeanRate:
		method = "RatioTimeslices"
	case o.Method == metric.Slices && o.Good.Num() > 0:
		method = "Timeslices"
		good, ok := fraction(o.Good)
		if !ok {
			return "", nil, fmt.Sprintf("slices that are good from %s on, which is no decimal fraction of up to 17 digits", o.Good)
		}
		out = append(out, text("timeSliceTarget"), number(good))
	case o.Method == metric.Slices && o.Partial == metric.PartialGood:
		return "", nil, "no timeSliceTarget makes slices bad only when all of them was bad"
	case o.Method == metric.Slices: // good when all of it was
		method = "Timeslices"
		out = append(out, text("timeSliceTarget"), number("1"))
		w.lose(path, "that it is by states: its SLI must give the share of time at which it was up")
	case o.Method == metric.Time: // the mean of the shares of slices that are alike
		method, size = "RatioTimeslices", metric.Duration(time.Minute)
		w.lose(path, "that it is by states: its SLI must give the share of time at which it was up")
	default:
		return "", nil, "no method that OpenSLO has"
	}
	if method != "Occurrences" {
		size, ok := short(size)
		if !ok {
			return "", nil, "slices of OpenSLO are whole minutes"
		}
		out = append(out, text("timeSliceWindow"), text(size))
	}
	if o.Least > 1 {
		w.lose(path, "that slices of less than %d requests are empty", o.Least)
	}
	if o.Run > 1 {
		w.lose(path, "that bad slices count only in runs of %d", o.Run)
	}
	if o.Degraded == metric.DegradedUp {
		w.lose(path, "that degraded counts as up")
	}
	if o.Empty != "" && o.Empty != metric.EmptyUnknown {
		w.lose(path, "that what is empty is %s", o.Empty)
	}
	return method, out, ""
}

// timeWindow returns a window, or why there is none that is the same.
func timeWindow(w metric.Window) (*yaml.Node, string) {
	if w.Calendar == "" {
		d, ok := short(w.Rolling)
		if !ok {
			return nil, "windows of OpenSLO are whole minutes"
		}
		return fields([]*yaml.Node{text("duration"), text(d), text("isRolling"), scalar("!!bool", "true")}), ""
	}
	for unit, calendar := range calendars {
		if calendar != w.Calendar {
			continue
		}
		zone := w.Zone
		if zone == "" {
			zone = "UTC"
		}
		follow := fields([]*yaml.Node{text("startTime"), scalar("!!timestamp", begin), text("timeZone"), text(zone)})
		return fields([]*yaml.Node{text("duration"), text("1" + unit), text("calendar"), follow, text("isRolling"), scalar("!!bool", "false")}), ""
	}
	return nil, "a window that OpenSLO has not"
}

// indicator returns the fields that lead to the SLI.
func indicator(path string, s Source) ([]*yaml.Node, error) {
	if !good(s.Indicator) || !good(s.Op) || !good(s.Value) {
		return nil, invalid("%s: its source: want texts of up to %d bytes of UTF-8", path, maxText)
	}
	if s.Spec == "" {
		if s.Indicator == "" {
			return nil, invalid("%s: its source has neither an indicator nor a spec", path)
		}
		return []*yaml.Node{text("indicatorRef"), text(s.Indicator)}, nil
	}
	docs, err := load([]byte(s.Spec))
	if err != nil {
		return nil, fmt.Errorf("openslo: %s: its source: %w", path, err)
	}
	if len(docs) != 1 || docs[0].Kind != yaml.MappingNode {
		return nil, invalid("%s: its source: want the fields of a spec, in one document", path)
	}
	inline := []*yaml.Node{text("spec"), docs[0]}
	if s.Indicator != "" {
		inline = append([]*yaml.Node{text("metadata"), fields([]*yaml.Node{text("name"), text(s.Indicator)})}, inline...)
	}
	return []*yaml.Node{text("indicator"), fields(inline)}, nil
}

// fraction writes a ratio as a decimal number, if it is one.
func fraction(r ratio.Ratio) (string, bool) {
	digits, exact := r.Rat().FloatPrec()
	if !exact || digits > 17 {
		return "", false
	}
	return r.Rat().FloatString(digits), true
}

func document(kind, name, title string, spec *yaml.Node) *yaml.Node {
	meta := []*yaml.Node{text("name"), text(name)}
	if title != "" {
		meta = append(meta, text("displayName"), text(title))
	}
	return fields([]*yaml.Node{text("apiVersion"), text(Version), text("kind"), text(kind), text("metadata"), fields(meta), text("spec"), spec})
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func text(s string) *yaml.Node { return scalar("!!str", s) }

// number returns what YAML takes for a number as it stands, and what is none as a text.
func number(s string) *yaml.Node {
	if docs, err := load([]byte(s)); err == nil && len(docs) == 1 && (docs[0].Tag == "!!int" || docs[0].Tag == "!!float") {
		return scalar(docs[0].Tag, s)
	}
	return text(s)
}

func fields(content []*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}
