//go:build unix

package treemirror_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

type fataler interface {
	require.TestingT
	Helper()
}

func manifest(t fataler, files fstest.MapFS) *backup.Manifest {
	t.Helper()
	var b bytes.Buffer
	_, err := backup.Build(context.Background(), &b, files, backup.BuildOptions{Header: backup.Header{Tenant: "acme", Source: "data", Created: now}})
	require.NoError(t, err)
	m, err := backup.OpenManifest(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return m
}

func changes(t fataler, all iter.Seq2[treemirror.Change, error]) map[string]treemirror.By {
	t.Helper()
	by := map[string]treemirror.By{}
	last := ""
	for c, err := range all {
		require.NoError(t, err)
		require.Greater(t, c.Path, last)
		by[c.Path], last = c.By, c.Path
	}
	return by
}

// The oracle is a table of all places.
func TestDivergeAgreesWithATable(t *testing.T) {
	content := rapid.SampledFrom([]string{"", "x", "y", "x, others may read it"}) // "": not there
	rapid.Check(t, func(t *rapid.T) {
		var trees [3]fstest.MapFS
		want := map[string]treemirror.By{}
		for i := range trees {
			trees[i] = fstest.MapFS{}
		}
		for _, path := range []string{"a", "b", "b-c", "d"} {
			var has [3]string
			for i := range trees {
				if has[i] = content.Draw(t, fmt.Sprint(path, i)); has[i] != "" {
					f := &fstest.MapFile{Data: []byte(has[i][:1]), Mode: 0o600, ModTime: now.Add(time.Duration(i))}
					if len(has[i]) > 1 {
						f.Mode = 0o644
					}
					trees[i][path] = f
				}
			}
			switch base, former, present := has[0], has[1], has[2]; {
			case former == present:
			case base == present:
				want[path] = treemirror.Former
			case base == former:
				want[path] = treemirror.Present
			default:
				want[path] = treemirror.Both
			}
		}
		got := changes(t, treemirror.Diverge(manifest(t, trees[0]), manifest(t, trees[1]), manifest(t, trees[2])))
		require.Equal(t, want, got)
	})
}

func TestDivergeWithoutABase(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: 0o600} }
	former := manifest(t, fstest.MapFS{"a": file("1"), "b": file("1"), "c": file("1"), "k/x": file("1")})
	present := manifest(t, fstest.MapFS{"a": file("1"), "b": file("2"), "d": file("1"), "k": file("1")})
	all := treemirror.Diverge(nil, former, present)
	want := map[string]treemirror.By{
		"b": treemirror.Both, "c": treemirror.Former, "d": treemirror.Present, "k": treemirror.Both, "k/x": treemirror.Former,
	}
	require.Equal(t, want, changes(t, all))
	for c := range all { // one may stop
		require.Equal(t, "b", c.Path)
		break
	}
	require.Equal(t, []string{"b", "c", "d", "k", "k/x"}, slices.Sorted(maps.Keys(changes(t, all))))
}

func TestDivergeOfADamagedManifestIsAnError(t *testing.T) {
	var b bytes.Buffer
	_, err := backup.Build(context.Background(), &b, fstest.MapFS{"a": {Mode: 0o600}}, backup.BuildOptions{Header: backup.Header{Tenant: "acme", Source: "data", Created: now}})
	require.NoError(t, err)
	text := b.Bytes()
	m, err := backup.OpenManifest(bytes.NewReader(text), int64(len(text)))
	require.NoError(t, err)
	copy(text[bytes.IndexByte(text, '\n')+1:], "f\t0666")
	var last error
	for _, err := range treemirror.Diverge(nil, m, nil) {
		require.NoError(t, last)
		last = err
	}
	require.Error(t, last)
}
