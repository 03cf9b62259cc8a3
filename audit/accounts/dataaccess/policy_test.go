package dataaccess_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/calendar"
)

func TestPolicyIsData(t *testing.T) {
	p := dataaccess.Policy{
		Duties: map[string]dataaccess.Limits{"": {Records: 5, Bytes: 6, Customers: 7}, "storage": {Hours: office()}},
		Window: time.Hour, HistoryDays: 30, MinDays: 5, Deviations: 4, PeerFactor: 2, MinPeers: 3, FloorRecords: 1, FloorBytes: 2,
		Listed: 8, Skip: []dataaccess.Kind{dataaccess.OffHours},
	}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	var back dataaccess.Policy
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)

	require.NoError(t, json.Unmarshal([]byte(`{}`), &back))
	require.Equal(t, dataaccess.Policy{}, back)
	for _, bad := range []string{
		`{"x":1}`, `{"window":"-1s"}`, `{"window":"9000h"}`, `{"window":3}`, `{"history_days":367}`, `{"min_days":-1}`,
		`{"history_days":5,"min_days":6}`, `{"deviations":-1}`, `{"peer_factor":1048577}`, `{"min_peers":-1}`, `{"listed":1025}`,
		`{"skip":["nonsense"]}`, `{"skip":["untested"]}`, `{"duties":{"a":{"customers":1001}}}`, `{"duties":{"a":{"customers":-1}}}`, `{"duties":{"a":{"x":1}}}`,
		`{"duties":{"a":{"hours":{"zone":"Nowhere"}}}}`, `{"floor_records":-1}`,
	} {
		err := json.Unmarshal([]byte(bad), &p)
		require.ErrorIs(t, err, opsec.ErrInvalid, bad)
		require.Equal(t, 30, p.HistoryDays, "it stays as it was")
	}
	require.ErrorIs(t, dataaccess.Policy{Duties: map[string]dataaccess.Limits{"": {Hours: &calendar.Policy{}}}}.Validate(), opsec.ErrInvalid)
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"duties":{"":{"records":5}},"window":"1h","skip":["breadth"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p dataaccess.Policy
		if json.Unmarshal(text, &p) != nil {
			return
		}
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var back dataaccess.Policy
		require.NoError(t, json.Unmarshal(again, &back))
	})
}

func FuzzNorms(f *testing.F) {
	f.Add([]byte(`{"duties":{"storage":{"operators":2,"records":{"7":2},"bytes":{"975":1,"0":1}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var n dataaccess.Norms
		if json.Unmarshal(text, &n) != nil {
			return
		}
		n.Usual("storage")
		require.NoError(t, n.Merge(&n))
	})
}
