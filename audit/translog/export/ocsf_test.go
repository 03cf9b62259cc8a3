package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

func TestOCSFFollowsThePublishedSchema(t *testing.T) {
	s := published(t)
	x := exporter(t, reviews)
	for _, e := range corpus() {
		line := write(t, x, export.OCSF, seal(e, 7))
		require.Empty(t, s.check(line), "%s", line)
	}
	rapid.Check(t, func(t *rapid.T) {
		line, err := x.Append(nil, export.OCSF, seal(anyEvent().Draw(t, "event"), 7))
		require.NoError(t, err)
		require.Empty(t, s.check(line), "%s", line)
	})
}

// The check of the schema is worth something only if it fails.
func TestSchemaCheckFindsWhatIsWrong(t *testing.T) {
	s := published(t)
	e := login()
	e.Resource = opsec.Resource{Type: "volume", ID: "v-1"}
	good := string(write(t, exporter(t), export.OCSF, seal(e, 7)))
	require.Empty(t, s.check([]byte(good)))
	for _, c := range []struct{ from, to, want string }{
		{`"class_uid":3002`, `"class_uid":3999`, "no such class"},
		{`"class_uid":3002`, `"class_uid":3001`, "type_uid: not of class"},
		{`"category_uid":3`, `"category_uid":4`, "category_uid"},
		{`"class_name":"Auth`, `"class_name":"Oath`, "class_name"},
		{`"activity_name":"Logon"`, `"activity_name":"Logoff"`, "activity_name"},
		{`"activity_id":1`, `"activity_id":8`, "activity_id: 8: not in the enumeration"},
		{`"severity_id":1`, `"severity_id":7`, "severity_id: 7: not in the enumeration"},
		{`"severity_id":1,`, ``, "severity_id: required"},
		{`"time":1`, `"time":-1.5e1`, "time: want an integer"},
		{`"time":`, `"tune":`, "tune: no such attribute"},
		{`"message":"`, `"api":"`, "api: no such attribute"}, // of the profile cloud alone
		{`"version":"1.8.0",`, ``, "metadata.version: required"},
		{`"ip":"192.0.2.7"`, `"ip":"192.0.x"`, "src_endpoint.ip: not of type ip_t"},
		{`"service":{"name":"console"}`, `"is_mfa":1`, "is_mfa: want a boolean"},
		{`"service":{"name":"console"}`, `"is_mfa":true`, "at_least_one: of"},
		{`"user":{"name":"j.doe","uid_alt":"p-17"`, `"user":{"uid_alt":"p-17"`, "actor.user.at_least_one"},
		{`"type_id":1`, `"type_id":5`, "type_id: 5: not in the enumeration"},
		{`"unmapped":{`, `"unmapped":1,"enrichments":{`, "unmapped: want an object"},
		{`"unmapped":{`, `"enrichments":{`, "enrichments: want an array"},
	} {
		bad := strings.ReplaceAll(good, c.from, c.to)
		require.NotEqual(t, good, bad, c.from)
		require.Contains(t, strings.Join(s.check([]byte(bad)), "\n"), c.want, "%s", bad)
	}
	authorization := login()
	authorization.Category, authorization.Granted = opsec.Authorization, []string{"a"}
	line := write(t, exporter(t), export.OCSF, seal(authorization, 7))
	require.Empty(t, s.check(line))
	bad := bytes.Replace(line, []byte(`"privileges":["a"]`), []byte(`"privileges":["a"],"group":{"name":"g"}`), 1)
	require.Contains(t, strings.Join(s.check(bad), "\n"), "just_one")
}

// shapes lists where in an event of which class there is what: "3002 actor.user.name string". Of an integer that OCSF
// enumerates the value stands there as well. What unmapped holds is not OCSF's.
func shapes(t require.TestingT, line []byte) map[string]bool {
	var event object
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	require.NoError(t, d.Decode(&event))
	found := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case object:
			for name, inner := range v {
				if path+"."+name == ".unmapped" {
					inner = "object"
				}
				walk(path+"."+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		case json.Number:
			word := "integer"
			if strings.HasSuffix(path, "_id") || strings.HasSuffix(path, "_uid") {
				word = v.String()
			}
			found[path[1:]+" "+word] = true
		case string:
			found[path[1:]+" string"] = true
		default:
			found[path[1:]+fmt.Sprintf(" %T", v)] = true
		}
	}
	walk("", event)
	return found
}

// The file is made of the corpus, which the schema's own test checks: OPSEC_UPDATE=1 go test -run Shapes.
func TestOCSFHasNoShapeThatTheSchemaHasNotSeen(t *testing.T) {
	const file = "testdata/ocsf-shapes.txt"
	x := exporter(t, reviews)
	all, always := map[string]bool{}, map[string]map[string]bool{}
	for _, e := range corpus() {
		line := write(t, x, export.OCSF, seal(e, 7))
		class := string(line[len(`{"class_uid":`):][:4])
		here := shapes(t, line)
		if always[class] == nil {
			always[class] = maps.Clone(here)
		}
		maps.DeleteFunc(always[class], func(s string, _ bool) bool { return !here[s] })
		for s := range here {
			all[class+" "+s] = true
		}
	}
	for class, list := range always {
		for s := range list {
			delete(all, class+" "+s)
			all[class+" always "+s] = true
		}
	}
	text := strings.Join(slices.Sorted(maps.Keys(all)), "\n") + "\n"
	if os.Getenv("OPSEC_UPDATE") != "" {
		published(t) // or skip: what is written must have been checked
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)

	rapid.Check(t, func(t *rapid.T) {
		line, err := x.Append(nil, export.OCSF, seal(anyEvent().Draw(t, "event"), 7))
		require.NoError(t, err)
		class := string(line[len(`{"class_uid":`):][:4])
		here := shapes(t, line)
		for s := range here {
			require.True(t, all[class+" "+s] || all[class+" always "+s], "%s %s", class, s)
		}
		for s := range always[class] {
			require.True(t, here[s], "%s lacks %s", class, s)
		}
	})
}
