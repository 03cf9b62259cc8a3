package oscal_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the shapes anew")

const shapesFile = "../../../audit/programme/oscal/testdata/shapes.txt"

type object = map[string]any

// shapes reduces schemas to the names of fields, which of them are required, and their types.
type shapes struct {
	t     testing.TB
	defs  object
	lines map[string]bool
	done  map[string]bool
}

func (s *shapes) ref(v object) (name string, target object) {
	path, ok := v["$ref"].(string)
	if !ok {
		return "", v
	}
	name = strings.TrimPrefix(path, "#/definitions/")
	target, ok = s.defs[name].(object)
	require.True(s.t, ok, path)
	return name[strings.LastIndex(name, ":")+1:], target
}

// of returns the type of a value, and notes the shape of an object; path is what one without a name is called.
func (s *shapes) of(v object, path string) string {
	name, target := s.ref(v)
	if data, ok := strings.CutSuffix(name, "Datatype"); ok {
		return strings.ToLower(data)
	}
	if name != "" {
		path = name
	}
	if target["$ref"] != nil {
		return s.of(target, path)
	}
	if target["type"] == "array" {
		return "[]" + s.of(target["items"].(object), path)
	}
	for _, word := range []string{"anyOf", "allOf"} {
		list, _ := target[word].([]any)
		if len(list) == 0 || target["type"] == "object" {
			continue
		}
		kind := s.of(list[0].(object), path)
		for _, alternative := range list {
			if values, ok := alternative.(object)["enum"].([]any); ok && word == "allOf" { // a closed list
				kind += "=" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(values)), "|"), "[]")
			}
		}
		return kind
	}
	require.Equal(s.t, "object", target["type"], path)
	if !s.done[path] {
		s.done[path] = true
		s.object(target, path)
	}
	return "{" + path + "}"
}

// object notes an object. Of alternatives, it may have what one may have, and must have what all must.
func (s *shapes) object(target object, path string) {
	ways := []object{target}
	if list, ok := target["anyOf"].([]any); ok {
		ways = nil
		for _, w := range list {
			ways = append(ways, w.(object))
		}
	}
	fields := object{}
	for _, w := range ways {
		require.Equal(s.t, false, w["additionalProperties"], path)
		p, _ := w["properties"].(object)
		maps.Copy(fields, p)
	}
	for name, field := range fields {
		must := "!"
		for _, w := range ways {
			if list, _ := w["required"].([]any); !slices.Contains(list, any(name)) {
				must = ""
			}
		}
		s.lines[path+" "+name+must+" "+s.of(field.(object), path+"."+name)] = true
	}
	if len(fields) == 0 {
		s.lines[path+" - -"] = true
	}
}

// The room itself cannot have the schema, and tests its documents by these shapes.
func TestShapesAreThoseOfTheSchema(t *testing.T) {
	published(t)
	all := map[string]bool{}
	for _, file := range []string{"catalog", "assessment-plan", "assessment-results", "poam"} {
		text, err := os.ReadFile(filepath.Join(os.Getenv("OPSEC_OSCAL_SCHEMA"), "oscal_"+file+"_schema.json"))
		require.NoError(t, err)
		var schema object
		require.NoError(t, json.Unmarshal(text, &schema))
		s := &shapes{t: t, defs: schema["definitions"].(object), lines: all, done: map[string]bool{}}
		for name, top := range schema["properties"].(object) {
			if name != "$schema" {
				s.of(top.(object), name)
			}
		}
	}
	text := "# OSCAL 1.2.1, from its JSON schemas (NIST, public domain): object, field with '!' when it is required, type.\n" +
		"# Written by internal/interop/oscal with -update.\n" + strings.Join(slices.Sorted(maps.Keys(all)), "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile(shapesFile, []byte(text), 0o644))
	}
	have, err := os.ReadFile(shapesFile)
	require.NoError(t, err)
	require.Equal(t, text, string(have))
}
