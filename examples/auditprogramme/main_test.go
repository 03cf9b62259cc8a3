package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// The register of competence says who may judge what operators did.
var _ dataaccess.Qualifications = (*competence.Register)(nil)

func TestAuditFindsWhatIsWrongAndTellsEachWhatConcernsThem(t *testing.T) {
	dir := t.TempDir()
	p, err := openProvider(t.Context(), dir)
	require.NoError(t, err)
	b, stop, err := openBook(t.Context(), dir)
	require.NoError(t, err)
	o := new(outcome)
	a, dossier, err := hold(t.Context(), p, b, o)
	require.NoError(t, err)
	names, err := publish(dir, a, dossier)
	require.NoError(t, err)
	require.NoError(t, stop())

	require.Contains(t, o.Refused, `"mia": in line with ben`)
	require.Contains(t, o.Attempt, programme.ErrStage.Error())
	require.True(t, o.Seed)
	require.Equal(t, programme.Reported, a.Stage)

	byItem := map[string]programme.Status{}
	for _, r := range a.Results {
		byItem[r.Item] = r.Status
	}
	drawn := a.Draw.Items["images"]
	require.Len(t, drawn, 20)
	for _, image := range drawn {
		want := programme.Passed
		if strings.HasPrefix(image, "globex/") {
			want = programme.Failed
		}
		require.Equal(t, want, byItem[image], image)
	}
	require.Equal(t, map[string]programme.Status{
		"hsm-1": programme.NotTested, "log": programme.Passed, "ben": programme.Passed, "carla": programme.Failed, "olga": programme.Passed,
		"mallory": programme.Failed, "backup-svc": programme.Failed,
	}, without(byItem, drawn))
	require.NotZero(t, a.Actions[0].Verified)

	require.Len(t, names, 13)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		switch base := filepath.Base(name); {
		case strings.HasSuffix(base, ".json"):
			require.True(t, json.Valid(text), base)
		case strings.HasPrefix(base, "acme."):
			require.NotContains(t, string(text), "globex", base)
			require.NotContains(t, string(text), "initech", base)
		case strings.HasPrefix(base, "globex."):
			require.Contains(t, string(text), "not what was signed", base)
		}
	}

	r, err := verify.Log(t.Context(), os.DirFS(filepath.Join(dir, "log")), b.trust, verify.Options{})
	require.NoError(t, err)
	require.True(t, r.OK, "%v", r.Findings)

	dossier.Samples["images"] = slices.Clone(dossier.Samples["images"])
	dossier.Samples["images"][0]++ // another one would have been nicer
	_, err = sample.Recompute(dossier, b.keys, holds)
	require.ErrorIs(t, err, sample.ErrMismatch)
}

func without(m map[string]programme.Status, keys []string) map[string]programme.Status {
	for _, k := range keys {
		delete(m, k)
	}
	return m
}

func TestRunMakesItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	require.ErrorIs(t, run(t.Context(), dir, true), script.ErrFindings)
	require.ErrorIs(t, run(t.Context(), dir, true), os.ErrExist, "it writes over nothing")
}
