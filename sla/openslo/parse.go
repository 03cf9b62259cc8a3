package openslo

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// reader is what has been read of a stream.
type reader struct {
	doc        Document
	lost       []Loss
	indicators map[string]*yaml.Node // specs of SLIs, by name
	used       map[string]bool       // SLIs that something refers to
	dumped     map[string]*Source    // of SLIs, by name
	bytes      int                   // of the specs of all objectives
	service    map[string]int        // index in doc.Services
	count      int                   // of objectives
}

func (r *reader) lose(path, text string) { r.lost = append(r.lost, Loss{Path: path, Text: text}) }

func (r *reader) leave(path, text string) {
	r.lost = append(r.lost, Loss{Path: path, Text: text, Whole: true})
}

// Parse reads a stream of OpenSLO v1 in YAML or JSON, in which a Service and an SLI may stand before or after what refers to
// them. What is not carried over is in the losses. The error wraps [opsec.ErrInvalid]: it is not YAML, not of this version, or
// lacks what OpenSLO requires. Of objectives whose method or window is not said the fields are empty, and it is reported: an
// agreement with them is not valid.
func Parse(text []byte) (Document, []Loss, error) {
	nodes, err := load(text)
	if err != nil {
		return Document{}, nil, err
	}
	r := &reader{indicators: map[string]*yaml.Node{}, used: map[string]bool{}, dumped: map[string]*Source{}, service: map[string]int{}}
	r.doc.Sources = map[string]Source{}
	var objectives []*object
	var indicators []string
	names := map[string]bool{}
	for _, n := range nodes {
		o, kind, name, err := r.head(n)
		if err != nil {
			return Document{}, nil, err
		}
		if at := kind + "/" + name; names[at] {
			return Document{}, nil, invalid("%s: it stands twice", at)
		} else {
			names[at] = true
		}
		switch kind {
		case "Service":
			err = r.named(o, name)
		case "SLI":
			r.indicators[name], indicators = o.get("spec"), append(indicators, name)
			var title string
			if title, err = o.title(); title != "" {
				r.lose(o.at("metadata.displayName"), "there is no place for it")
			}
			o.lost(r.lose)
		case "SLO":
			objectives = append(objectives, o)
		case "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget":
			r.leave(o.path, "there is no place for it")
		default:
			err = invalid("%s: line %d: kind: %q is unknown", o.path, n.Line, clip(kind))
		}
		if err != nil {
			return Document{}, nil, err
		}
	}
	for _, o := range objectives {
		if err := r.slo(o); err != nil {
			return Document{}, nil, err
		}
	}
	for _, name := range indicators {
		if !r.used[name] {
			r.leave("SLI/"+name, "nothing refers to it")
		}
	}
	return r.doc, r.lost, nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,117}[A-Za-z0-9])?$`)

// head reads what every document has.
func (r *reader) head(n *yaml.Node) (o *object, kind, name string, err error) {
	if o, err = newObject(fmt.Sprintf("document at line %d", n.Line), n); err != nil {
		return nil, "", "", err
	}
	version, err := o.text("apiVersion")
	if err == nil && version != Version {
		err = invalid("%s: apiVersion: %q, want %s", o.path, clip(version), Version)
	}
	if err == nil {
		kind, err = o.text("kind")
	}
	if err != nil {
		return nil, "", "", err
	}
	meta, err := o.object("metadata")
	if err == nil {
		name, err = meta.text("name")
	}
	if err == nil && !nameForm.MatchString(name) {
		err = invalid("%s: metadata.name: want up to 119 letters, digits, dots, dashes and underscores", o.path)
	}
	if err != nil {
		return nil, "", "", err
	}
	o.path = clip(kind) + "/" + name
	meta.path = o.at("metadata")
	meta.get("displayName")
	meta.lost(r.lose)
	return o, kind, name, nil
}

// title returns the displayName of a document.
func (o *object) title() (string, error) {
	meta, err := o.object("metadata")
	if err != nil {
		return "", err
	}
	return meta.text("displayName")
}

// named reads a Service.
func (r *reader) named(o *object, name string) error {
	title, err := o.title()
	if err != nil {
		return err
	}
	spec, err := o.object("spec")
	if err != nil {
		return err
	}
	spec.lost(r.lose)
	o.lost(r.lose)
	r.of(name).Title = title
	return nil
}

// of returns the service of a name.
func (r *reader) of(name string) *sla.Service {
	i, ok := r.service[name]
	if !ok {
		i = len(r.doc.Services)
		r.service[name] = i
		r.doc.Services = append(r.doc.Services, sla.Service{ID: name})
	}
	return &r.doc.Services[i]
}

// slo reads an SLO, with an objective or several.
func (r *reader) slo(o *object) error {
	_, name, _ := strings.Cut(o.path, "/")
	title, err := o.title()
	if err != nil {
		return err
	}
	spec, err := o.object("spec")
	if err != nil {
		return err
	}
	o.get("apiVersion")
	o.get("kind")
	o.lost(r.lose)
	service, err := spec.text("service")
	if err == nil && !nameForm.MatchString(service) {
		err = invalid("%s: want the name of a service", spec.at("service"))
	}
	if err != nil {
		return err
	}
	method, err := r.method(spec)
	if err != nil {
		return err
	}
	window, why, err := r.window(spec)
	if err != nil {
		return err
	}
	list, err := spec.list("objectives")
	if err == nil && len(list) == 0 {
		err = invalid("%s: none", spec.at("objectives"))
	}
	if err != nil {
		return err
	}
	if r.count += len(list); r.count > MaxObjectives {
		return invalid("more than %d objectives", MaxObjectives)
	}
	source, err := r.source(spec)
	if err != nil {
		return err
	}
	if policies := spec.get("alertPolicies"); policies != nil && len(policies.Content) > 0 {
		r.lose(spec.at("alertPolicies"), "there is no place for them")
	}
	spec.lost(r.lose)
	if why != "" {
		r.leave(o.path, "its timeWindow: "+why)
		return nil
	}
	for i, n := range list {
		at, err := newObject(fmt.Sprintf("%s.objectives[%d]", spec.path, i), n)
		if err != nil {
			return err
		}
		x := metric.Objective{ID: name, Title: title, Method: method, Window: window}
		if len(list) > 1 {
			x.ID = fmt.Sprintf("%s-%d", name, i+1)
		}
		if err := r.objective(at, x, source, service); err != nil {
			return err
		}
	}
	return nil
}

// method reads the budgeting method.
func (r *reader) method(spec *object) (metric.Method, error) {
	text, err := spec.text("budgetingMethod")
	if err != nil {
		return "", err
	}
	switch text {
	case "Occurrences":
		return metric.Requests, nil
	case "Timeslices":
		return metric.Slices, nil
	case "RatioTimeslices":
		return metric.MeanRate, nil
	case "":
		r.lose(spec.at("budgetingMethod"), "none is said: set a method, or it cannot be measured")
		return "", nil
	}
	return "", invalid("%s: %q is none of Occurrences, Timeslices and RatioTimeslices", spec.at("budgetingMethod"), clip(text))
}

// source reads the indicator of an SLO, or of an objective; nil if it has none.
func (r *reader) source(o *object) (*Source, error) {
	inline, err := o.object("indicator")
	if err != nil {
		return nil, err
	}
	ref, err := o.text("indicatorRef")
	if err != nil {
		return nil, err
	}
	switch {
	case inline.node != nil && ref != "":
		return nil, invalid("%s: an indicator and an indicatorRef, want one", o.path)
	case inline.node == nil && ref == "":
		return nil, nil
	case ref != "":
		spec, ok := r.indicators[ref]
		if !ok {
			r.lose(o.at("indicatorRef"), "it is not in this text")
			return &Source{Indicator: ref}, nil
		}
		r.used[ref] = true
		if r.dumped[ref] == nil {
			s, err := newSource("SLI/"+ref, ref, spec)
			if err != nil {
				return nil, err
			}
			r.dumped[ref] = s
		}
		return r.dumped[ref], nil
	}
	meta, err := inline.object("metadata")
	if err != nil {
		return nil, err
	}
	name, err := meta.text("name")
	if err != nil {
		return nil, err
	}
	meta.lost(r.lose)
	spec := inline.get("spec")
	inline.lost(r.lose)
	return newSource(inline.path, name, spec)
}

func newSource(path, name string, spec *yaml.Node) (*Source, error) {
	if spec == nil || spec.Kind != yaml.MappingNode {
		return nil, invalid("%s.spec: want fields", path)
	}
	text, err := dump(spec)
	return &Source{Indicator: name, Spec: text}, err
}

// objective reads what is promised.
func (r *reader) objective(o *object, x metric.Objective, of *Source, service string) error {
	title, err := o.text("displayName")
	if err != nil {
		return err
	}
	switch {
	case x.Title == "":
		x.Title = title
	case title != "":
		x.Title += ": " + title
	}
	if x.Target, err = target(o); err != nil {
		return err
	}
	why, err := r.slices(o, &x)
	if err != nil {
		return err
	}
	own, err := r.source(o)
	if err != nil {
		return err
	}
	if own != nil {
		if of != nil {
			return invalid("%s: an indicator of its own, and one of the SLO", o.path)
		}
		r.lose(o.path, "part of a composite SLO: it is judged by itself here")
	} else if own = of; own == nil {
		return invalid("%s: no indicator", o.path)
	}
	own = &Source{Indicator: own.Indicator, Spec: own.Spec}
	if own.Op, err = o.text("op"); err != nil {
		return err
	}
	if own.Value, err = o.text("value"); err != nil {
		return err
	}
	o.lost(r.lose)
	if why == "" && x.Method != "" && x.Window != (metric.Window{}) {
		if err := x.Validate(); err != nil {
			why = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	}
	if why != "" {
		r.leave(o.path, why)
		return nil
	}
	if _, ok := r.doc.Sources[x.ID]; ok {
		return invalid("%s: another objective has the id %q", o.path, x.ID)
	}
	if r.bytes += len(own.Spec); r.bytes > MaxSpecs {
		return invalid("the indicators of all objectives have more than %d bytes", MaxSpecs)
	}
	r.doc.Sources[x.ID] = *own
	s := r.of(service)
	s.Objectives = append(s.Objectives, x)
	return nil
}

// target reads target or targetPercent.
func target(o *object) (ratio.Ratio, error) {
	text, err := o.text("target")
	if err != nil {
		return ratio.Ratio{}, err
	}
	percent, err := o.text("targetPercent")
	if err != nil {
		return ratio.Ratio{}, err
	}
	switch {
	case (text == "") == (percent == ""):
		return ratio.Ratio{}, invalid("%s: want target or targetPercent", o.path)
	case text != "":
		return decimal(o.at("target"), text, "")
	}
	return decimal(o.at("targetPercent"), percent, "%")
}

var decimalForm = regexp.MustCompile(`^([0-9]{1,18}(\.[0-9]{0,17})?|\.[0-9]{1,17})$`)

// decimal reads a number exactly.
func decimal(path, text, unit string) (ratio.Ratio, error) {
	if !decimalForm.MatchString(text) {
		return ratio.Ratio{}, invalid("%s: %q is not a decimal number of up to 17 decimals", path, clip(text))
	}
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	r, err := ratio.Parse(strings.TrimSuffix(text, ".") + unit)
	if err != nil {
		return ratio.Ratio{}, invalid("%s: %w", path, err)
	}
	if r.Num() > r.Den() {
		return ratio.Ratio{}, invalid("%s: %s is more than all", path, clip(text))
	}
	return r, nil
}

// slices reads timeSliceTarget and timeSliceWindow. If it returns a reason there is nothing that is the same here.
func (r *reader) slices(o *object, x *metric.Objective) (why string, err error) {
	size, err := o.text("timeSliceWindow")
	if err != nil {
		return "", err
	}
	good, err := o.text("timeSliceTarget")
	if err != nil {
		return "", err
	}
	if x.Method != metric.Slices && good != "" {
		r.lose(o.at("timeSliceTarget"), "only Timeslices has one")
	}
	if x.Method != metric.Slices && x.Method != metric.MeanRate {
		if size != "" {
			r.lose(o.at("timeSliceWindow"), "only Timeslices and RatioTimeslices have one")
		}
		return "", nil
	}
	if minutes.MatchString(size) {
		size += "m"
	}
	d, err := parseShorthand(o.at("timeSliceWindow"), size)
	if err != nil {
		return "", err
	}
	if x.Slice, why = d.exact(); why != "" {
		return "its timeSliceWindow: " + why, nil
	}
	if x.Method == metric.MeanRate {
		return "", nil
	}
	if x.Good, err = decimal(o.at("timeSliceTarget"), good, ""); err != nil {
		return "", err
	}
	if x.Good.Num() == 0 {
		return "a timeSliceTarget of 0: every slice is good", nil
	}
	return "", nil
}

// minutes is a number without a unit.
var minutes = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
