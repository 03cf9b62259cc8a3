package evidence_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/response"
)

func TestIncidents(t *testing.T) {
	in := `id,service,severity,security,occurred,reported,accepted,notified,restored,resolved
INC-7,compute,high,true,2026-03-03T04:10:00.1239Z,2026-03-03T05:12:00+01:00,2026-03-03T04:20:00Z,2026-03-03T04:30:00Z,2026-03-03T05:00:00Z,2026-03-04T00:00:00Z
INC-8,,,,2026-03-03T04:10:00Z,,,,,
`
	at := func(text string) time.Time {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(err)
		}
		return t.UTC()
	}
	require.Equal(t, []response.Incident{
		{
			ID: "INC-7", Service: "compute", Severity: opsec.SeverityHigh, Security: true,
			Occurred: at("2026-03-03T04:10:00.123Z"), Reported: at("2026-03-03T04:12:00Z"), Accepted: at("2026-03-03T04:20:00Z"),
			Notified: at("2026-03-03T04:30:00Z"), Restored: at("2026-03-03T05:00:00Z"), Resolved: at("2026-03-04T00:00:00Z"),
		},
		{ID: "INC-8", Occurred: at("2026-03-03T04:10:00Z")},
	}, all(t, evidence.Incidents(strings.NewReader(in), "f")))
	require.Len(t, all(t, evidence.Incidents(strings.NewReader("occurred,id\r\n2026-03-03T04:10:00Z,a\r\n"), "f")), 1)
}

func TestIncidentsRefuse(t *testing.T) {
	const head = "id,severity,security,occurred,reported\n"
	for _, c := range []struct{ in, want string }{
		{"", "f:1: is empty"},
		{"id,service\n", "f:1: no column occurred"},
		{head + ",,,2026-03-03T04:10:00Z,\n", `f:2: incident: id "": want 1 to 200 bytes`},
		{head + "a,,,,\n", `f:2: incident "a": occurred: missing`},
		{head + "a,worst,,2026-03-03T04:10:00Z,\n", "f:2:3: severity: want info, low, medium, high or critical"},
		{head + "a,,yes,2026-03-03T04:10:00Z,\n", "f:2:4: security: want true or false"},
		{head + "a,,,yesterday,\n", "f:2:5: occurred: want a time"},
		{head + "a,,,2026-03-03T04:10:00Z,2026-03-03T04:09:59.999Z\n", `f:2: incident "a": reported before it occurred`},
		{head + "a,,,2026-03-03T04:10:00Z,\nb,,,2026-03-03T04:10:00Z,\na,,,2026-03-03T04:10:00Z,\n", `f:4: id "a" is there twice`},
	} {
		_, err := collect(evidence.Incidents(strings.NewReader(c.in), "f"))
		require.ErrorContains(t, err, "evidence: "+c.want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestMoreIncidentsThanMayBeAreRefused(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("a million rows")
	}
	var in bytes.Buffer
	in.WriteString("id,occurred\n")
	for i := range evidence.MaxIncidents + 1 {
		in.WriteString(strings.Repeat("a", 1+i%3))
		in.WriteString(time.UnixMilli(int64(i)).UTC().Format("150405.000") + time.UnixMilli(int64(i)*86_400_000).Format("20060102"))
		in.WriteString(",2026-03-03T04:10:00Z\n")
	}
	n := 0
	var failed error
	for _, err := range evidence.Incidents(&in, "f") {
		if failed = err; err == nil {
			n++
		}
	}
	require.Equal(t, evidence.MaxIncidents, n, "%v", failed)
	require.ErrorContains(t, failed, "more than 1048576 incidents")
}

func FuzzIncidents(f *testing.F) {
	f.Add([]byte("id,service,severity,security,occurred,reported,accepted,notified,restored,resolved\na,b,low,true,2026-03-03T04:10:00Z,,,,,\n"))
	f.Add([]byte("occurred,id\r\n2026-03-03T04:10:00.5+01:00,\"a\"\"b\"\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		seen := map[string]bool{}
		for i, err := range evidence.Incidents(bytes.NewReader(in), "f") {
			if err != nil {
				return
			}
			require.NoError(t, i.Validate())
			require.False(t, seen[i.ID])
			seen[i.ID] = true
		}
	})
}
