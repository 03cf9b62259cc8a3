package audit_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit"
)

// FuzzPolicyJSON: what is accepted is valid, and reads back as it is written.
func FuzzPolicyJSON(f *testing.F) {
	for _, text := range []string{`{}`, `{"require":2,"max_wait":"5s","queue":64}`, `{"queue":-1}`, `{"max_wait":5}`, `{"x":1}`, `null`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p audit.Policy
		if json.Unmarshal(text, &p) != nil {
			require.Equal(t, audit.Policy{}, p, "a refused policy changed something")
			return
		}
		require.NoError(t, p.Validate())
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var q audit.Policy
		require.NoError(t, json.Unmarshal(again, &q))
		require.Equal(t, p, q)
	})
}
