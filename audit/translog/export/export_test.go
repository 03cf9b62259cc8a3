package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

func TestPolicyIsRefusedByFieldAndRule(t *testing.T) {
	for _, c := range []struct {
		change func(*export.Policy)
		want   string
	}{
		{func(p *export.Policy) { p.Origin = "" }, "origin of 0 bytes"},
		{func(p *export.Policy) { p.Origin = strings.Repeat("x", 256) }, "origin of 256 bytes"},
		{func(p *export.Policy) { p.Origin = "a\nb" }, "printable"},
		{func(p *export.Policy) { p.Origin = "a\xff" }, "printable"},
		{func(p *export.Policy) { p.Message = export.Syslog }, "message"},
		{func(p *export.Policy) { p.Facility = 24 }, "facility 24"},
		{func(p *export.Policy) { p.Facility = -1 }, "facility -1"},
		{func(p *export.Policy) { p.Host = "a b" }, "host"},
		{func(p *export.Policy) { p.Host = strings.Repeat("x", 256) }, "host"},
		{func(p *export.Policy) { p.App = "é" }, "app"},
		{func(p *export.Policy) { p.App = strings.Repeat("x", 49) }, "app"},
		{func(p *export.Policy) { p.Mapping = export.Mapping{{Class: 1001, Activity: 1}} }, "mapping[0]: class 1001"},
		{func(p *export.Policy) { p.Mapping = export.Mapping{{Class: export.APIActivity}} }, "mapping[0]: activity 0"},
		{func(p *export.Policy) { p.Mapping = export.Mapping{{Class: export.APIActivity, Activity: 5}} }, "activity 5: want 1 to 4"},
		{func(p *export.Policy) {
			p.Mapping = append(export.DefaultMapping(), export.Rule{Action: "a*", Class: export.APIActivity, Activity: 1})
		}, "action"},
		{func(p *export.Policy) {
			p.Mapping = export.Mapping{{Action: "*.a.*", Class: export.APIActivity, Activity: 1}}
		}, "action"},
		{func(p *export.Policy) {
			p.Mapping = export.Mapping{{Action: ".*", Class: export.APIActivity, Activity: 1}}
		}, "action"},
		{func(p *export.Policy) {
			p.Mapping = export.Mapping{{Category: "x", Class: export.APIActivity, Activity: 1}}
		}, "category"},
		{func(p *export.Policy) {
			p.Mapping = export.Mapping{{Outcome: "x", Class: export.APIActivity, Activity: 1}}
		}, "outcome"},
		{func(p *export.Policy) {
			p.Mapping = export.Mapping{{Severity: "x", Class: export.APIActivity, Activity: 1}}
		}, "severity"},
	} {
		p := export.Policy{Origin: "log"}
		c.change(&p)
		_, err := export.New(p)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, c.want)
	}
	require.NoError(t, export.DefaultMapping().Validate())
}

func TestRecordIsRefusedWhole(t *testing.T) {
	for _, c := range []struct {
		change func(*export.Record)
		want   string
	}{
		{func(r *export.Record) { r.Event = nil }, "no event"},
		{func(r *export.Record) { r.Leaf = nil }, "leaf of 0 bytes"},
		{func(r *export.Record) { r.Leaf = make([]byte, 1<<16) }, "leaf of 65536 bytes"},
		{func(r *export.Record) { r.Size = r.Index }, "index 7"},
		{func(r *export.Record) { r.Size = 1 << 63 }, "index 7"},
		{func(r *export.Record) { r.Event.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "years"},
		{func(r *export.Record) { r.Event.Began = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "years"},
		{func(r *export.Record) { r.Evidence = make([]byte, export.MaxLine) }, "line of"},
	} {
		r := seal(login(), 7)
		c.change(r)
		for _, form := range forms {
			b, err := exporter(t).Append([]byte("before"), form, r)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, "before", string(b))
		}
	}
	_, err := exporter(t).Append(nil, "cef", seal(login(), 7))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestLongestEventFits(t *testing.T) {
	e := login()
	for range 6 {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "k", Value: strings.Repeat("\x01", opsec.MaxValueLen)})
	}
	e.Reason = strings.Repeat("\x01", 6<<10)
	require.NoError(t, e.Validate())
	r := seal(e, 7)
	r.Leaf, r.Evidence = make([]byte, 1<<16-1), make([]byte, 256<<10)
	for _, form := range forms {
		require.NotEmpty(t, write(t, exporter(t, func(p *export.Policy) { p.Message = export.OCSF }), form, r))
	}
}

// What a line is written to, and shown on, sees text of one line and nothing that commands it.
func TestNoValueLeavesItsLine(t *testing.T) {
	x := exporter(t)
	rapid.Check(t, func(t *rapid.T) {
		r := seal(anyEvent().Draw(t, "event"), rapid.Uint64Range(0, 1<<62).Draw(t, "index"))
		for _, form := range forms {
			line, err := x.Append(nil, form, r)
			require.NoError(t, err)
			require.Equal(t, bytes.ToValidUTF8(line, nil), line)
			require.NotContains(t, string(line), "never")
			for _, c := range string(line) {
				require.False(t, c < 0x20 || 0x7f <= c && c <= 0x9f || c == '\u2028' || c == '\u2029', "%s: %U", form, c)
			}
		}
	})
}

func TestSecretIsInNoForm(t *testing.T) {
	e := login()
	e.Attrs = []opsec.Attr{{Key: "password", Value: "never", Mark: opsec.Secret}}
	for _, form := range forms {
		require.NotContains(t, string(write(t, exporter(t), form, seal(e, 7))), "never")
	}
}

func TestMappingOfTheUserComesFirst(t *testing.T) {
	uid := func(x *export.Exporter, e *opsec.Event) (class, severity int) {
		var o struct {
			Class    int `json:"class_uid"`
			Severity int `json:"severity_id"`
		}
		require.NoError(t, json.Unmarshal(write(t, x, export.OCSF, seal(e, 7)), &o))
		return o.Class, o.Severity
	}
	e := opsec.NewEvent("backup.verify", time.Now())
	e.Outcome = opsec.Failure
	class, severity := uid(exporter(t), e)
	require.Equal(t, []int{2003, 4}, []int{class, severity})
	mine := exporter(t, func(p *export.Policy) {
		p.Mapping = export.Mapping{
			{Action: "backup.*", Outcome: opsec.Failure, Class: export.DetectionFinding, Activity: 1, Severity: opsec.SeverityCritical},
			{Action: "*.verify", Class: export.APIActivity, Activity: 2},
		}
	})
	class, severity = uid(mine, e)
	require.Equal(t, []int{2004, 5}, []int{class, severity})
	e.Outcome = opsec.Success
	class, severity = uid(mine, e)
	require.Equal(t, []int{6003, 1}, []int{class, severity})
	e.Action = "backup" // neither begins with "backup." nor ends with ".verify"
	class, _ = uid(mine, e)
	require.Equal(t, 6003, class)

	text, err := json.Marshal(export.DefaultMapping())
	require.NoError(t, err)
	var again export.Mapping
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, export.DefaultMapping(), again)
}

// An event that lacks what its class asks for, a user or an entity, becomes an API activity.
func TestClassFollowsFromWhatTheEventHas(t *testing.T) {
	for _, c := range []struct {
		change func(*opsec.Event)
		want   string
	}{
		{func(e *opsec.Event) {}, `"class_uid":3002,"class_name":"Authentication","category_uid":3,"activity_id":1,`},
		{func(e *opsec.Event) { e.Began = e.Time.Add(-time.Hour) }, `"class_uid":3002,"class_name":"Authentication","category_uid":3,"activity_id":2,`},
		{func(e *opsec.Event) { e.System = "" }, `"class_uid":6003,`},
		{func(e *opsec.Event) { e.Actor = opsec.Actor{} }, `"class_uid":6003,`},
		{func(e *opsec.Event) { e.Category, e.Granted = opsec.Authorization, []string{"p"} }, `"class_uid":3003,"class_name":"Authorize Session","category_uid":3,"activity_id":1,`},
		{func(e *opsec.Event) { e.Category, e.Cancelled = opsec.Authorization, []string{"p"} }, `"class_uid":3003,"class_name":"Authorize Session","category_uid":3,"activity_id":99,"activity_name":"authn.login",`},
		{func(e *opsec.Event) { e.Category = opsec.Authorization }, `"class_uid":6003,`},
		{func(e *opsec.Event) { e.Category, e.Action, e.Resource.ID = "", "approval.use", "1" }, `"class_uid":3004,`},
		{func(e *opsec.Event) { e.Category, e.Action = "", "approval.use" }, `"class_uid":6003,`},
		{func(e *opsec.Event) { e.Category, e.Action, e.Resource.ID = "", "identity.lock", "a" }, `"class_uid":3001,"class_name":"Account Change","category_uid":3,"activity_id":9,`},
		{func(e *opsec.Event) { e.Category, e.Action = "", "audit.gap" }, `"class_uid":2004,`},
		{func(e *opsec.Event) { e.Category, e.Action = "", "keymgmt.destroy" }, `"class_uid":6003,"class_name":"API Activity","category_uid":6,"activity_id":4,`},
		{func(e *opsec.Event) { e.Category, e.Action = "", "inventory.hold" }, `"class_uid":6003,"class_name":"API Activity","category_uid":6,"activity_id":99,"activity_name":"inventory.hold",`},
	} {
		e := login()
		c.change(e)
		require.Contains(t, string(write(t, exporter(t), export.OCSF, seal(e, 7))), "{"+c.want)
	}
}

// OCSF's ip_t has no room for a zone, which may be long; the event in unmapped has it.
func TestAddressStandsWithoutItsZoneInOCSF(t *testing.T) {
	e := login()
	e.Actor.IP = netip.MustParseAddr("fe80::1").WithZone("eth0")
	line := string(write(t, exporter(t), export.OCSF, seal(e, 7)))
	require.Contains(t, line, `"src_endpoint":{"ip":"fe80::1",`)
	require.Contains(t, line, `"ip":"fe80::1%eth0"`)
}

// Another implementation of RFC 5424 reads what we write.
func TestSyslogIsReadByAnotherParser(t *testing.T) {
	origin := `log "a\b]` // all that an SD-PARAM escapes
	x := exporter(t, func(p *export.Policy) { p.Origin, p.Host, p.Facility = origin, "node-1", 10 })
	rapid.Check(t, func(t *rapid.T) {
		r := seal(anyEvent().Draw(t, "event"), rapid.Uint64Range(0, 1<<62).Draw(t, "index"))
		line, err := x.Append(nil, export.Syslog, r)
		require.NoError(t, err)
		parsed, err := rfc5424.NewParser().Parse(line)
		require.NoError(t, err, "%s", line)
		m := parsed.(*rfc5424.SyslogMessage)
		require.EqualValues(t, 10, *m.Facility)
		require.Contains(t, []uint8{2, 3, 4, 5, 6}, *m.Severity)
		require.True(t, m.Timestamp.Equal(r.Event.Time.Truncate(time.Microsecond)), "%s", line)
		require.Equal(t, "node-1", *m.Hostname)
		require.Equal(t, "opsec", *m.Appname)
		require.Nil(t, m.ProcID)
		require.Equal(t, r.Event.Action[:min(32, len(r.Event.Action))], *m.MsgID)
		body, err := x.Append(nil, export.JSON, r)
		require.NoError(t, err)
		require.Equal(t, "\ufeff"+string(body), *m.Message)
		sd := (*m.StructuredData)["opsec@32473"]
		require.Len(t, sd, 5)
		require.Equal(t, origin, sd["origin"])
		var claims struct{ Index, Size json.Number }
		require.NoError(t, json.Unmarshal(body, &claims))
		require.Equal(t, claims.Index.String(), sd["index"])
		require.Equal(t, claims.Size.String(), sd["size"])
		require.Equal(t, r.LeafHash.String(), sd["leaf"])
		require.Equal(t, r.Root.String(), sd["root"])
	})
}

func TestMixedFileReadsBack(t *testing.T) {
	x := exporter(t)
	ocsf := exporter(t, func(p *export.Policy) { p.Message = export.OCSF })
	rapid.Check(t, func(t *rapid.T) {
		var file []byte
		var records []*export.Record
		var written []export.Form
		for range rapid.IntRange(0, 9).Draw(t, "lines") {
			r := seal(anyEvent().Draw(t, "event"), rapid.Uint64Range(0, 1<<62).Draw(t, "index"))
			form := rapid.SampledFrom(forms).Draw(t, "form")
			from := rapid.SampledFrom([]*export.Exporter{x, ocsf}).Draw(t, "exporter")
			var err error
			file, err = from.Append(file, form, r)
			require.NoError(t, err)
			file = append(file, rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", " \n"}).Draw(t, "end")...)
			records, written = append(records, r), append(written, form)
		}
		if rapid.Bool().Draw(t, "cut") {
			file = bytes.TrimRight(file, " \r\n")
		}
		n := 0
		for line, err := range export.Read(bytes.NewReader(file)) {
			require.NoError(t, err)
			require.Equal(t, written[n], line.Form)
			require.Equal(t, "log.example.org/audit", line.Origin)
			got, err := x.Verify(line, open)
			require.NoError(t, err)
			want := records[n]
			require.JSONEq(t, string(want.Event.AppendJSON(nil)), string(got.Event.AppendJSON(nil)))
			got.Event = want.Event
			require.Equal(t, *want, got)
			n++
		}
		require.Len(t, records, n)
	})
}

func TestReadGoesOnAfterABadLine(t *testing.T) {
	x := exporter(t)
	good := string(write(t, x, export.JSON, seal(login(), 7)))
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	bad := []struct {
		line string
		want error
	}{
		{`{"a":1}`, export.ErrForeign},
		{`[]`, export.ErrForeign},
		{`<13>1 2026-01-01T00:00:00Z h a - - - hello`, export.ErrForeign},
		{`<13>Jan  1 00:00:00 host app: hello`, export.ErrForeign},
		{`hello`, opsec.ErrInvalid},
		{"{\"leaf_hash\":\"\xff\"}", opsec.ErrInvalid},
		{good + good, opsec.ErrInvalid},
		{good[:len(good)-1], opsec.ErrInvalid},
		{strings.Replace(good, `"event":{`, `"event":{"deep":`+deep+`,`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"index":7`, `"index":7,"index":7`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"index":7`, `"index":8`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"index":7`, `"index":"7"`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"leaf":"`, `"leaf":"*`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"root":"`, `"root":"AAAA`, 1), opsec.ErrInvalid},
		{strings.Replace(good, `"origin":"`, `"origin":["`, 1), opsec.ErrInvalid},
		{strings.Repeat(" ", export.MaxLine) + good, opsec.ErrInvalid},
		{strings.Repeat("x", 3*export.MaxLine), opsec.ErrInvalid},
	}
	var file strings.Builder
	for _, b := range bad {
		file.WriteString(b.line + "\n" + good + "\n")
	}
	number := 0
	for line, err := range export.Read(strings.NewReader(file.String())) {
		if number++; number%2 == 0 {
			require.NoError(t, err)
			require.Equal(t, number, line.Number)
			continue
		}
		b := bad[number/2]
		var at *export.LineError
		require.ErrorAs(t, err, &at, "%.100s", b.line)
		require.Equal(t, number, at.Number)
		require.ErrorIs(t, err, b.want, "%.100s", b.line)
	}
	require.Equal(t, 2*len(bad), number)

	for range export.Read(strings.NewReader(file.String())) {
		break // stops when it is told to
	}
	broken := errors.New("broken")
	var last error
	for _, last = range export.Read(&failing{text: good, err: broken}) {
	}
	require.ErrorIs(t, last, broken)
}

// failing is a reader that breaks within a line.
type failing struct {
	text string
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n := copy(p, f.text)
	if f.text = f.text[n:]; n > 0 {
		return n, nil
	}
	return 0, f.err
}
