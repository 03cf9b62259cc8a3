package export_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/internal/race"
)

// Every change of one byte is found: the line is not read any more, or Verify refuses it, or what an inclusion proof
// is about (index, size, root) is no longer the same. Without meaning are, in syslog, the bytes of HOSTNAME and PROCID,
// and everywhere the case of a hexadecimal digit in an escape.
func TestEveryChangeOfOneByteIsFound(t *testing.T) {
	exporters := []*export.Exporter{
		exporter(t, func(p *export.Policy) { p.Host = "node-1" }),
		exporter(t, func(p *export.Policy) { p.Host, p.Message = "node-1", export.OCSF }),
	}
	escape := regexp.MustCompile(`\\u[0-9a-f]{0,3}$`)
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SampledFrom(exporters).Draw(t, "exporter")
		r := seal(anyEvent().Draw(t, "event"), rapid.Uint64Range(0, 1<<40).Draw(t, "index"))
		form := rapid.SampledFrom(forms).Draw(t, "form")
		line, err := x.Append(nil, form, r)
		require.NoError(t, err)
		host := bytes.Index(line, []byte("Z node-1 opsec - ")) + 2 // the timestamp's end is the first there
		free := func(at int, was, c byte) bool {
			return c == was^0x20 && escape.Match(line[:at]) || form == export.Syslog && (host <= at && at < host+6 || at == host+13)
		}
		change := rapid.Byte().Draw(t, "change")
		step := 41 // all bytes would take minutes
		if race.Enabled {
			step = 211
		}
		for at := rapid.IntRange(0, step-1).Draw(t, "from"); at < len(line); at += step {
			was := line[at]
			for _, c := range []byte{was ^ 1, was ^ 0x20, was ^ 0x80, change} {
				if c == was || c == '\n' {
					continue
				}
				free := free(at, was, c)
				line[at] = c
				l, err := read(line)
				if err == nil {
					var got export.Record
					if got, err = x.Verify(l, open); err == nil {
						claims := got.Index != r.Index || got.Size != r.Size || got.Root != r.Root
						require.True(t, claims || free, "byte %d: %q for %q in %s", at, c, was, line)
						require.False(t, claims && form == export.Syslog, "the structured data say otherwise")
					}
				}
			}
			line[at] = was
		}
	})
}

func TestAlteredFieldIsNamed(t *testing.T) {
	e := login()
	e.Granted = []string{"a", "b"}
	x := exporter(t)
	for _, c := range []struct {
		form           export.Form
		from, to, want string
	}{
		{export.JSON, `"account":"j.doe"`, `"account":"other"`, "event.actor.account"},
		{export.JSON, `"outcome":"success"`, `"outcome":"failure"`, "event.outcome"},
		{export.JSON, `"granted":["a","b"]`, `"granted":["a","c"]`, "event.granted[1]"},
		{export.JSON, `"granted":["a","b"]`, `"granted":["a"]`, "event.granted"},
		{export.JSON, `,"granted":["a","b"]`, ``, "event.granted"},
		{export.JSON, `"event":{`, `"event":{"extra":1,`, "event: a member more"},
		{export.JSON, `"actor":{"tenant":"acme","account":"j.doe","person":"p-17","kind":"human","session":"s-1","ip":"192.0.2.7","terminal":"laptop-3"}`, `"actor":null`, "event.actor"},
		{export.JSON, `{"origin":"log`, `{"origin":"lag`, "origin"},
		{export.OCSF, `"severity_id":1`, `"severity_id":2`, "severity_id"},
		{export.OCSF, `"severity_id":1`, `"severity_id":1.0`, "severity_id"},
		{export.OCSF, `"severity_id":1`, `"severity_id":1,"severity":"x"`, ": a member more"},
		{export.OCSF, `"user":{"name":"j.doe"`, `"user":{"name":"other"`, "actor.user.name"},
		{export.OCSF, `"class_uid":3002`, `"class_uid":3001`, "class_uid"},
		{export.Syslog, `<110>`, `<109>`, "syslog.priority"},
		{export.Syslog, `05.123456Z`, `05.123457Z`, "syslog.timestamp"},
		{export.Syslog, `05.123456Z`, `05,123456Z`, "syslog.timestamp"},
		{export.Syslog, ` opsec - `, ` other - `, "syslog.app_name"},
		{export.Syslog, ` authn.login `, ` authn.logout `, "syslog.message_id"},
		{export.Syslog, `opsec@32473`, `opsec@32474`, "syslog.structured_data"},
		{export.Syslog, ` index="7"`, ` index="8"`, "syslog.structured_data"},
		{export.Syslog, ` index="7"`, ` index="7" index="7"`, "syslog.structured_data"},
		{export.Syslog, `"account":"j.doe"`, `"account":"other"`, "event.actor.account"},
	} {
		text := string(write(t, x, c.form, seal(e, 7)))
		bad := strings.Replace(text, c.from, c.to, 1)
		require.NotEqual(t, text, bad)
		l, err := read([]byte(bad))
		require.NoError(t, err)
		_, err = x.Verify(l, open)
		var altered *export.AlteredError
		require.ErrorAs(t, err, &altered, "%s for %s", c.to, c.from)
		require.ErrorIs(t, err, export.ErrAltered)
		require.Equal(t, export.AlteredError{Line: 1, Field: c.want}, *altered)
		require.NotContains(t, err.Error(), "other")
	}
}

func TestLeafAndEvidenceMustBelongTogether(t *testing.T) {
	x := exporter(t)
	other := login()
	other.Outcome = opsec.Denied
	a, b := seal(login(), 7), seal(other, 7)
	for _, form := range forms {
		r := *a
		r.Evidence = b.Evidence
		l, err := read(write(t, x, form, &r))
		require.NoError(t, err)
		_, err = x.Verify(l, open)
		require.ErrorContains(t, err, "evidence")
		require.NotErrorIs(t, err, export.ErrAltered)

		r = *a
		r.LeafHash = b.LeafHash
		l, err = read(write(t, x, form, &r))
		require.NoError(t, err)
		_, err = x.Verify(l, open)
		require.ErrorIs(t, err, export.ErrAltered)
	}
}

// What collectors do to a line that is all right with us.
func TestCopyThatSaysTheSameIsGood(t *testing.T) {
	x := exporter(t)
	r := seal(login(), 7)
	shuffled := func(form export.Form) string {
		var v any
		d := json.NewDecoder(bytes.NewReader(write(t, x, form, r)))
		d.UseNumber()
		require.NoError(t, d.Decode(&v))
		text, err := json.Marshal(v) // sorts the members
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), `,"`, ` , "`)
	}
	syslog := string(write(t, x, export.Syslog, r))
	for _, text := range []string{
		shuffled(export.JSON), shuffled(export.OCSF),
		"\ufeff" + shuffled(export.JSON) + "\r\n",
		strings.Replace(syslog, "\ufeff", "", 1),
		strings.Replace(syslog, " - opsec - ", " collector.example.org opsec 17 ", 1),
		strings.Replace(syslog, "03:04:05.123456Z", "05:04:05.123456+02:00", 1),
		syslog[:strings.Index(syslog, "\ufeff")] + shuffled(export.OCSF),
	} {
		l, err := read([]byte(text))
		require.NoError(t, err)
		got, err := x.Verify(l, open)
		require.NoError(t, err, "%s", text)
		require.Equal(t, r.LeafHash, got.LeafHash)
	}
}

func TestVerifyNeedsThePolicyOfTheExporter(t *testing.T) {
	e := login()
	line := write(t, exporter(t, func(p *export.Policy) {
		p.Mapping = export.Mapping{{Action: "authn.login", Class: export.APIActivity, Activity: 1}}
	}), export.OCSF, seal(e, 7))
	l, err := read(line)
	require.NoError(t, err)
	_, err = exporter(t).Verify(l, open)
	require.ErrorIs(t, err, export.ErrAltered)
}

func FuzzRead(f *testing.F) {
	x := exporter(f)
	e := login()
	e.Time = e.Time.Add(time.Nanosecond)
	for _, form := range forms {
		f.Add(write(f, x, form, seal(e, 7)))
	}
	f.Add([]byte("<13>1 2026-01-01T00:00:00Z h a - - [opsec@1 a=\"\\"))
	f.Add([]byte("{\"class_uid\":1,\"unmapped\":[]}\n<1>1 - - - - - [opsec@1] {}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		number := 0
		for l, err := range export.Read(bytes.NewReader(text)) {
			if err != nil {
				require.Equal(t, export.Line{}, l)
				continue
			}
			require.Greater(t, l.Number, number)
			number = l.Number
			require.Less(t, l.Index, l.Size)
			r, err := x.Verify(l, open)
			if err != nil {
				continue
			}
			again, err := x.Append(nil, l.Form, &r) // what is good can be written again, and is good then
			require.NoError(t, err)
			l, err = read(again)
			require.NoError(t, err)
			_, err = x.Verify(l, open)
			require.NoError(t, err)
		}
	})
}
