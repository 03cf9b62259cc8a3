package oscal_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// document is one that was written, with what its references may be to.
type document struct {
	top     string
	root    object
	things  map[string]string // uuid to the name of the list, or of the object, that it stands in
	ids     map[string]string // ids of controls, groups and parts
	roles   map[string]bool
	catalog *document // that its controls are of; nil: not checked
	faults  []string
}

func read(t testing.TB, text []byte) *document {
	var d object
	require.NoError(t, json.Unmarshal(text, &d))
	require.Len(t, d, 1)
	x := &document{things: map[string]string{}, ids: map[string]string{}, roles: map[string]bool{}}
	for top, v := range d {
		x.top, x.root = top, v.(object)
	}
	x.each(x.root, x.top, func(o object, in string) {
		if id, ok := o["uuid"].(string); ok {
			if x.things[id] != "" {
				x.fault("uuid %s: of %s and %s", id, x.things[id], in)
			}
			x.things[id] = in
		}
		if id, ok := o["id"].(string); ok && in != "system-id" {
			if x.ids[id] != "" {
				x.fault("id %s: of %s and %s", id, x.ids[id], in)
			}
			x.ids[id] = in
			x.roles[id] = in == "roles"
		}
	})
	return x
}

func (d *document) fault(format string, args ...any) {
	d.faults = append(d.faults, fmt.Sprintf(format, args...))
}

// each visits all objects, with the name of the field that they stand in.
func (d *document) each(v any, in string, visit func(o object, in string)) {
	switch v := v.(type) {
	case object:
		visit(v, in)
		for name, x := range v {
			d.each(x, name, visit)
		}
	case []any:
		for _, x := range v {
			d.each(x, in, visit)
		}
	}
}

func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, s := range list {
		all = append(all, s.(string))
	}
	return all
}

// references are the fields that refer to something by its uuid, and in which lists that may stand.
var references = map[string][]string{
	"party-uuid": {"parties"}, "party-uuids": {"parties"}, "observation-uuid": {"observations"}, "risk-uuid": {"risks"},
	"finding-uuid": {"findings"}, "response-uuid": {"remediations"}, "task-uuid": {"tasks"}, "activity-uuid": {"activities"},
	"component-uuid": {"components"}, "subject-uuid": {"inventory-items", "components"}, "actor-uuid": {"parties", "components"},
}

// named are the names that OSCAL's metaschema of release 1.2.1 gives to properties without a namespace, by where they stand,
// as far as they are written here; and the values, where it gives those.
var named = map[string][]string{
	"activities name": {"method"}, "activities method": {"INTERVIEW", "EXAMINE", "TEST"},
	"resources name": {"type"}, "resources type": {"artifact", "evidence", "standard"},
	"risks name": {"accepted", "priority"}, "remediations name": {"type"}, "remediations type": {"accept", "mitigate"},
	"entries name": {"type"}, "entries type": {"status-update", "mitigation", "remediated"},
	"facets name": {"state"}, "facets state": {"initial", "adjusted"},
	"inventory-items name": {"asset-id"}, "controls name": {"label"}, "groups name": {"label"},
	"terms-and-conditions": {"assessment-inclusions", "assessment-exclusions", "methodology"},
}

// check holds the document against what OSCAL says in words, or in constraints of its metaschema that a JSON schema has no
// means for. A reference to a task or a tool may be to the plan.
func (d *document) check(plan *document) []string {
	d.each(d.root, d.top, func(o object, in string) {
		for field, lists := range references {
			ids := texts(o[field])
			if id, ok := o[field].(string); ok {
				ids = []string{id}
			}
			for _, id := range ids {
				where := d.things[id]
				if where == "" && plan != nil && (field == "task-uuid" || o["type"] == "tool") {
					where = plan.things[id]
				}
				if !slices.Contains(lists, where) {
					d.fault("%s: %s %s: it is of %q", in, field, id, where)
				}
				if o["type"] == "tool" && where != "components" || o["type"] == "party" && where != "parties" {
					d.fault("%s: an actor of type %s in %s", in, o["type"], where)
				}
			}
		}
		if role, ok := o["role-id"].(string); ok && !d.roles[role] {
			d.fault("%s: role %s is not defined", in, role)
		}
		if href, ok := o["href"].(string); ok {
			if id, inside := strings.CutPrefix(href, "#"); inside && d.things[id] != "resources" {
				d.fault("%s: %s is no resource", in, href)
			} else if o["rel"] == "reference" && !inside && !strings.Contains(href, ":") {
				d.fault("%s: %s: want a URI", in, href)
			} else if inside && o["media-type"] != nil {
				d.fault("%s: media type of a resource in the document", in)
			}
		}
		if catalog := d.catalog; catalog != nil {
			if id, ok := o["control-id"].(string); ok && catalog.ids[id] != "controls" {
				d.fault("%s: no control %s", in, id)
			}
			if id, ok := o["target-id"].(string); ok && catalog.ids[id] != "parts" {
				d.fault("%s: no statement %s", in, id)
			}
		}
		d.props(o, in)
		d.thing(o, in)
	})
	slices.Sort(d.faults)
	return d.faults
}

func (d *document) props(o object, in string) {
	list, _ := o["props"].([]any)
	for _, v := range list {
		p := v.(object)
		if p["ns"] != nil {
			if p["name"] == "custodian" && d.things[p["value"].(string)] != "parties" {
				d.fault("%s: custodian %s is no party", in, p["value"])
			}
			continue
		}
		if name := p["name"].(string); !slices.Contains(named[in+" name"], name) {
			d.fault("%s: property %s is not OSCAL's", in, name)
		} else if values, ok := named[in+" "+name]; ok && !slices.Contains(values, p["value"].(string)) {
			d.fault("%s: property %s: value %s is not OSCAL's", in, name, p["value"])
		}
	}
}

var hexadecimal = regexp.MustCompile("^[0-9a-f]{64}$")

func has(o object, name, value string) bool {
	list, _ := o["props"].([]any)
	return slices.ContainsFunc(list, func(v any) bool {
		p := v.(object)
		return p["name"] == name && (value == "" || p["value"] == value)
	})
}

func (d *document) thing(o object, in string) {
	once := func(list, key string) {
		seen := map[any]bool{}
		all, _ := o[list].([]any)
		for _, v := range all {
			if id := v.(object)[key]; seen[id] {
				d.fault("%s: %s %v stands twice in %s", in, key, id, list)
			} else {
				seen[id] = true
			}
		}
	}
	once("responsible-parties", "role-id")
	once("responsible-roles", "role-id")
	once("document-ids", "identifier")
	once("rlinks", "href")
	switch in {
	case "activities":
		if !has(o, "method", "") {
			d.fault("activity without a method")
		}
	case "controls":
		parts, _ := o["parts"].([]any)
		if !slices.ContainsFunc(parts, func(p any) bool { return p.(object)["name"] == "statement" }) {
			d.fault("control %s without a statement", o["id"])
		}
	case "terms-and-conditions":
		for _, p := range o["parts"].([]any) {
			if p := p.(object); p["ns"] == nil && !slices.Contains(named[in], p["name"].(string)) {
				d.fault("term %s is not OSCAL's", p["name"])
			}
		}
	case "hashes":
		if o["algorithm"] != "SHA-256" || !hexadecimal.MatchString(o["value"].(string)) {
			d.fault("hash: not the length of its algorithm")
		}
	case "resources":
		if o["citation"] == nil && o["rlinks"] == nil && o["base64"] == nil || o["citation"] != nil && o["title"] == nil {
			d.fault("resource %s: nothing is there, or no title", o["uuid"])
		}
	case "observations":
		for _, kind := range texts(o["types"]) {
			if !slices.Contains([]string{"control-objective", "discovery"}, kind) {
				d.fault("observation of type %s", kind)
			}
		}
		for _, m := range texts(o["methods"]) {
			if !slices.Contains([]string{"EXAMINE", "TEST"}, m) {
				d.fault("observation by method %s", m)
			}
		}
	case "risks":
		if !slices.Contains([]string{"open", "remediating", "deviation-approved", "closed"}, o["status"].(string)) {
			d.fault("risk that is %s", o["status"])
		}
	case "remediations":
		if !slices.Contains([]string{"planned", "completed"}, o["lifecycle"].(string)) {
			d.fault("response that is %s", o["lifecycle"])
		}
	case "status":
		if state, ok := o["reason"]; ok && (state == "pass") != (o["state"] == "satisfied") {
			d.fault("target that is %s for the reason %s", o["state"], o["reason"])
		}
	case "timing":
		if len(o) != 1 {
			d.fault("timing of %d kinds", len(o))
		}
	case "facets":
		if o["system"] != "http://csrc.nist.gov/ns/oscal" || o["name"] != "risk" {
			d.fault("facet %s of %s", o["name"], o["system"])
		}
	case "poam-items":
		if o["uuid"] == nil {
			d.fault("item of the plan without a uuid")
		}
	}
}
