package export_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// object is a JSON object.
type object = map[string]any

// schema is the published source of OCSF: the folder of a release, taken apart.
type schema struct {
	t                        testing.TB
	dictionary, types        object
	categories               object
	classes, objects         map[string]object // by name, as they stand
	profiles                 map[string]object // by path, "profiles/cloud.json"
	resolvedClass, resolvedO map[string]object
	patterns                 map[string]*regexp.Regexp
}

// published returns the schema, from the folder that OPSEC_OCSF_SCHEMA names: release 1.8.0 of github.com/ocsf/ocsf-schema.
func published(t testing.TB) *schema {
	dir := os.Getenv("OPSEC_OCSF_SCHEMA")
	if dir == "" {
		t.Skip("OPSEC_OCSF_SCHEMA does not name a folder with the schema; testdata/ocsf-shapes.txt stands in for it")
	}
	s := &schema{
		t: t, classes: map[string]object{}, objects: map[string]object{}, profiles: map[string]object{},
		resolvedClass: map[string]object{}, resolvedO: map[string]object{}, patterns: map[string]*regexp.Regexp{},
	}
	load := func(path string) (o object) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &o), path)
		return o
	}
	require.Equal(t, "1.8.0", load(filepath.Join(dir, "version.json"))["version"])
	s.dictionary = load(filepath.Join(dir, "dictionary.json"))
	s.types = s.dictionary["types"].(object)["attributes"].(object)
	s.categories = load(filepath.Join(dir, "categories.json"))["attributes"].(object)
	each := func(pattern string, keep func(path string, o object)) {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		for _, p := range paths {
			name, err := filepath.Rel(dir, p)
			require.NoError(t, err)
			keep(name, load(p))
		}
	}
	each("events/*.json", func(_ string, o object) { s.classes[o["name"].(string)] = o })
	each("events/*/*.json", func(_ string, o object) { s.classes[o["name"].(string)] = o })
	each("objects/*.json", func(_ string, o object) { s.objects[o["name"].(string)] = o })
	each("profiles/*.json", func(path string, o object) { s.profiles[path] = o })
	require.NotEmpty(t, s.profiles)
	return s
}

// resolve follows extends and $include; of what is said twice, the derived word counts, and enumerations are joined.
func (s *schema) resolve(from, done map[string]object, name string) object {
	if o, ok := done[name]; ok {
		return o
	}
	own, ok := from[name]
	require.True(s.t, ok, "schema: no %s", name)
	all := object{"attributes": object{}}
	if parent, ok := own["extends"].(string); ok {
		all = clone(s.resolve(from, done, parent)).(object)
	}
	attributes := all["attributes"].(object)
	for key, v := range own {
		if key != "attributes" {
			all[key] = v
		}
	}
	given, _ := own["attributes"].(object)
	includes, _ := given["$include"].([]any)
	for _, path := range includes {
		p, ok := s.profiles[path.(string)]
		require.True(s.t, ok, "schema: no %s", path)
		for key, v := range p["attributes"].(object) {
			merge(attributes, key, v.(object), object{"profile": p["name"]})
		}
	}
	for key, v := range given {
		if key != "$include" {
			merge(attributes, key, v.(object), nil)
		}
	}
	done[name] = all
	return all
}

func merge(into object, key string, v, also object) {
	a, ok := into[key].(object)
	if !ok {
		a = object{}
		into[key] = a
	}
	for _, words := range []object{also, v} {
		for k, word := range words {
			if enum, ok := a[k].(object); ok && k == "enum" {
				maps.Copy(enum, clone(word).(object))
				continue
			}
			a[k] = clone(word)
		}
	}
}

func clone(v any) any {
	switch v := v.(type) {
	case object:
		o := object{}
		for k, x := range v {
			o[k] = clone(x)
		}
		return o
	case []any:
		list := []any{}
		for _, x := range v {
			list = append(list, clone(x))
		}
		return list
	}
	return v
}

// check returns what is wrong with one event.
func (s *schema) check(text []byte) (faults []string) {
	var event object
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&event); err != nil {
		return []string{err.Error()}
	}
	number := func(name string) int {
		n, _ := event[name].(json.Number)
		i, _ := n.Int64()
		return int(i)
	}
	uid := number("class_uid")
	for name, o := range s.classes {
		class := s.resolve(s.classes, s.resolvedClass, name)
		own, ok := o["uid"].(float64)
		category, _ := s.categories[fmt.Sprint(class["category"])].(object)
		if !ok || category == nil || int(category["uid"].(float64))*1000+int(own) != uid {
			continue
		}
		if number("category_uid") != uid/1000 {
			faults = append(faults, "category_uid: not of the class")
		}
		if number("type_uid") != uid*100+number("activity_id") {
			faults = append(faults, "type_uid: not of class and activity")
		}
		if event["class_name"] != class["caption"] {
			faults = append(faults, "class_name: not the class's")
		}
		enum := class["attributes"].(object)["activity_id"].(object)["enum"].(object)
		if a := number("activity_id"); a != 99 {
			if name, _ := enum[fmt.Sprint(a)].(object); name == nil || event["activity_name"] != name["caption"] {
				faults = append(faults, "activity_name: not the activity's")
			}
		}
		profiles := object{}
		if m, ok := event["metadata"].(object); ok {
			list, _ := m["profiles"].([]any)
			for _, p := range list {
				profiles[p.(string)] = true
			}
		}
		return append(faults, s.object("", event, class, profiles)...)
	}
	return []string{fmt.Sprintf("class_uid %d: no such class", uid)}
}

func (s *schema) object(path string, o, class, profiles object) (faults []string) {
	fault := func(name, format string, args ...any) {
		faults = append(faults, strings.TrimPrefix(path+"."+name, ".")+": "+fmt.Sprintf(format, args...))
	}
	attributes := class["attributes"].(object)
	may := func(name string) object { // nil unless the attribute is there under these profiles
		a, _ := attributes[name].(object)
		if p, _ := a["profile"].(string); p != "" && profiles[p] == nil {
			return nil
		}
		return a
	}
	for name := range attributes {
		if a := may(name); a != nil && a["requirement"] == "required" && o[name] == nil {
			fault(name, "required")
		}
	}
	for name, v := range o {
		a := may(name)
		if a == nil {
			fault(name, "no such attribute")
			continue
		}
		word, _ := s.dictionary["attributes"].(object)[name].(object)
		if word == nil {
			fault(name, "not in the dictionary")
			continue
		}
		list := []any{v}
		if word["is_array"] == true {
			var ok bool
			if list, ok = v.([]any); !ok {
				fault(name, "want an array")
			}
		}
		for i, v := range list {
			at := name
			if word["is_array"] == true {
				at = fmt.Sprintf("%s[%d]", name, i)
			}
			kind, inner := word["type"].(string), word["object_type"]
			if a["type"] != nil {
				kind, inner = a["type"].(string), a["object_type"]
			}
			// The dictionary says "object_t" beside an object_type, or the object's own name for the type.
			if inner == nil && s.objects[kind] != nil {
				inner = kind
			}
			if inner != nil {
				nested, ok := v.(object)
				if !ok {
					fault(at, "want an object")
				} else if inner != "object" {
					faults = append(faults, s.object(path+"."+at, nested, s.resolve(s.objects, s.resolvedO, inner.(string)), profiles)...)
				}
				continue
			}
			if why := s.scalar(kind, v); why != "" {
				fault(at, "%s", why)
			}
			enum := object{}
			for _, from := range []object{word, a} {
				e, _ := from["enum"].(object)
				maps.Copy(enum, e)
			}
			if name == "class_uid" || name == "category_uid" {
				continue // completed by what is in the schema; checked above
			}
			if len(enum) > 0 && enum[fmt.Sprint(v)] == nil {
				fault(at, "%v: not in the enumeration", v)
			}
		}
	}
	constraints, _ := class["constraints"].(object)
	for kind, names := range constraints {
		n := 0
		for _, name := range names.([]any) {
			if o[name.(string)] != nil {
				n++
			}
		}
		switch {
		case kind == "at_least_one" && n < 1, kind == "just_one" && n != 1:
			fault(kind, "of %v: %d", names, n)
		case kind != "at_least_one" && kind != "just_one":
			fault(kind, "unknown constraint")
		}
	}
	slices.Sort(faults)
	return faults
}

func (s *schema) scalar(kind string, v any) string {
	t, ok := s.types[kind].(object)
	if !ok {
		return "type " + kind + " unknown"
	}
	base := kind
	if b, ok := t["type"].(string); ok {
		base = b
	}
	switch base {
	case "json_t":
		return ""
	case "boolean_t":
		if _, ok := v.(bool); !ok {
			return "want a boolean"
		}
	case "integer_t", "long_t":
		n, ok := v.(json.Number)
		if _, err := n.Int64(); !ok || err != nil {
			return "want an integer"
		}
	case "string_t":
		text, ok := v.(string)
		if !ok {
			return "want a string"
		}
		if most, ok := t["max_len"].(float64); ok && utf8.RuneCountInString(text) > int(most) {
			return "too long"
		}
		if pattern, ok := t["regex"].(string); ok && !s.matches(pattern, text) {
			return "not of type " + kind
		}
	default:
		return "base type " + base + " unknown"
	}
	return ""
}

func (s *schema) matches(pattern, text string) bool {
	if s.patterns[pattern] == nil {
		s.patterns[pattern] = regexp.MustCompile(pattern)
	}
	return s.patterns[pattern].MatchString(text)
}
