package oscal_test

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shapes are what the published schemas say, without the schemas: by object and field, a type. internal/interop/oscal writes
// them, and holds documents against the schemas themselves.
type shapes map[string]map[string]string

func readShapes(t testing.TB) shapes {
	text, err := os.ReadFile("testdata/shapes.txt")
	require.NoError(t, err)
	s := shapes{}
	for l := range strings.Lines(string(text)) {
		if f := strings.Fields(l); f[0] != "#" {
			if s[f[0]] == nil {
				s[f[0]] = map[string]string{}
			}
			s[f[0]][f[1]] = f[2]
		}
	}
	require.NotEmpty(t, s["assessment-results"])
	return s
}

// patterns are those of OSCAL's datatypes, as ECMA-262 reads them.
var patterns = map[string]*regexp.Regexp{
	"uuid":       regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[45][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$`),
	"token":      regexp.MustCompile(`^(\p{L}|_)(\p{L}|\p{N}|[.\-_])*$`),
	"string":     regexp.MustCompile(`^[^\s\v\p{Z}\x{feff}]([^\n\r\x{2028}\x{2029}]*[^\s\v\p{Z}\x{feff}])?$`),
	"markupline": regexp.MustCompile(`^[^\n]+$`),
	// In UTC, which is the one zone that is written here; OSCAL takes those that there are.
	"datetimewithtimezone": regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$`),
	"base64":               regexp.MustCompile(`^[0-9A-Za-z+/]+={0,2}$`),
}

// check returns what is wrong with a value.
func (s shapes) check(v any, kind, at string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }
	if item, ok := strings.CutPrefix(kind, "[]"); ok {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			fault("want a list that is not empty")
		}
		for i, x := range list {
			faults = append(faults, s.check(x, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return faults
	}
	if strings.HasPrefix(kind, "{") {
		o, ok := v.(object)
		if !ok {
			fault("want an object")
			return faults
		}
		fields := s[strings.Trim(kind, "{}")]
		for field := range fields {
			if name, must := strings.CutSuffix(field, "!"); must && o[name] == nil {
				fault("%s is required", name)
			}
		}
		for name, x := range o {
			kind, ok := fields[name]
			if !ok {
				kind, ok = fields[name+"!"]
			}
			if !ok {
				fault("no field %s", name)
				continue
			}
			faults = append(faults, s.check(x, kind, at+"."+name)...)
		}
		return faults
	}
	text, ok := v.(string)
	if !ok {
		fault("want a text")
	}
	kind, values, closed := strings.Cut(kind, "=")
	if closed && !slices.Contains(strings.Split(values, "|"), text) {
		fault("%q: want one of %s", text, values)
	}
	if p := patterns[kind]; p != nil && !p.MatchString(text) {
		fault("%q is no %s", text, kind)
	}
	var err error
	switch kind {
	case "datetimewithtimezone":
		_, err = time.Parse(time.RFC3339Nano, text)
	case "uri", "urireference":
		_, err = url.Parse(text)
	case "markupmultiline":
	default:
		if patterns[kind] == nil {
			fault("no datatype %s here", kind)
		}
	}
	if err != nil {
		fault("%v", err)
	}
	return faults
}

func (s shapes) document(t testing.TB, text []byte) []string {
	d := read(t, text)
	return s.check(d.root, "{"+d.top+"}", d.top)
}
