package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/examples/internal/script"
)

func TestReportOfADocument(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rbd.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"snapshots": [{"id": "vm@mon", "restore": true, "size": 9, "virtual": 9},
		{"id": "vm@tue", "restore": true, "size": 9, "virtual": 9, "needs": [{"id": "vm@mon", "as": "parent"}]}]}`), 0o600))
	o := options{p: 0.5, json: true, svg: filepath.Join(dir, "chain.svg")}
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), &out, o, []string{file}))
	var report struct {
		Images, Edges, Chains, Spof, Findings []any
		Expected                              float64 `json:"expected_lost"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Len(t, report.Images, 2)
	require.Len(t, report.Edges, 1)
	require.Equal(t, 1.25, report.Expected) // a half, and three quarters
	drawn, err := os.ReadFile(o.svg)
	require.NoError(t, err)
	require.Contains(t, string(drawn), "<svg")

	out.Reset()
	require.NoError(t, run(context.Background(), &out, options{p: 0.5, destroy: "vm@mon", budget: 100}, []string{file}))
	require.Contains(t, out.String(), "2 restore points are lost with vm@mon")

	out.Reset()
	for _, wrong := range []options{{p: 0.5, json: true, destroy: "vm@mon"}, {p: 0.5, json: true, budget: 1}, {p: 0.5, budget: -1}, {p: 0.5, destroy: "vm@sun"}} {
		require.Error(t, run(context.Background(), &out, wrong, []string{file}))
		require.Empty(t, out.String(), "what cannot be answered is not half answered")
	}

	require.NoError(t, os.WriteFile(file, []byte(`{"snapshots": [{"id": "vm@tue", "restore": true, "needs": [{"id": "vm@mon"}]}]}`), 0o600))
	require.ErrorIs(t, run(context.Background(), &out, o, []string{file}), script.ErrFindings)
	for _, wrong := range []struct {
		o     options
		paths []string
	}{{o, nil}, {o, []string{dir + "/none"}}, {options{p: 2}, []string{file}}, {options{p: 0.1, profile: "none"}, []string{file}}} {
		err := run(context.Background(), &out, wrong.o, wrong.paths)
		require.Error(t, err)
		require.NotErrorIs(t, err, script.ErrFindings)
	}
}

// An image is known by where it really is; the shell may know it by another name.
func TestDestroyTakesAFileByAnyOfItsNames(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "images"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "images", "disk.raw"), make([]byte, 512), 0o600))
	require.NoError(t, os.Symlink("images", filepath.Join(dir, "link")))
	t.Chdir(dir)
	for _, name := range []string{"images/disk.raw", "link/disk.raw", filepath.Join(dir, "images/../link/disk.raw")} {
		var out bytes.Buffer
		require.NoError(t, run(context.Background(), &out, options{p: 0.5, destroy: name}, []string{"images/disk.raw"}))
		require.Contains(t, out.String(), "1 restore points are lost with")
	}
}
