package recovery_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/recovery"
)

// What is kept of a result can be held against its digest, and no part of it changes without.
func TestADigestIsOfAllThatAResultSays(t *testing.T) {
	began := time.Date(2026, 3, 2, 12, 0, 0, 5, time.FixedZone("", 3600))
	r := recovery.Result{ID: "1", Point: recovery.Point{Tenant: "acme", Source: "s<&>", ID: "p", Key: &recovery.KeyRef{Name: "k", Version: 1}}, Began: began,
		Ended: began.Add(time.Hour), Failure: "no \uFFFD", Took: recovery.Duration(90 * time.Second), Files: 1, Bytes: 2, Target: "there",
		Phases: []recovery.Phase{{Name: recovery.Restore, Took: 1}}, Checks: []recovery.Checked{{Name: "c", Kind: "query", Detail: "d"}}}
	kept, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("sha256:%x", sha256.Sum256(kept)), r.Digest())
	var back recovery.Result
	require.NoError(t, json.Unmarshal(kept, &back))
	require.Equal(t, r.Digest(), back.Digest())

	for name, change := range map[string]func(*recovery.Result){
		"passed":   func(r *recovery.Result) { r.Passed = true },
		"took":     func(r *recovery.Result) { r.Took++ },
		"point":    func(r *recovery.Result) { r.Point.ID = "q" },
		"key":      func(r *recovery.Result) { r.Point.Key.Version++ },
		"actor":    func(r *recovery.Result) { r.By.Account = "other" },
		"began":    func(r *recovery.Result) { r.Began = r.Began.Add(1) },
		"detail":   func(r *recovery.Result) { r.Checks[0].Detail = "" },
		"no check": func(r *recovery.Result) { r.Checks = nil },
	} {
		var other recovery.Result
		require.NoError(t, json.Unmarshal(kept, &other))
		change(&other)
		require.NotEqual(t, r.Digest(), other.Digest(), name)
	}
	r.Ended = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Empty(t, r.Digest())
}
