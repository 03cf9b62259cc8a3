package backup_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
)

func TestSumFSIsWhatB3sumAndSha256sumSay(t *testing.T) {
	dir := nasty(t)
	for i := range 300 {
		put(t, dir, fmt.Sprintf("many/%d/%d", i%5, i), pattern(i*37))
	}
	paths := regular(t, dir)
	for _, workers := range []int{0, 1, 7} {
		var got []string
		sums := map[backup.CheckFormat]map[string]bool{backup.B3Sum: {}, backup.SHA256Sum: {}}
		for f, err := range backup.SumFS(context.Background(), openDir(t, dir), &backup.SumOptions{SHA256: true, Workers: workers}) {
			require.NoError(t, err)
			got = append(got, f.Path)
			content, err := os.ReadFile(filepath.Join(dir, f.Path))
			require.NoError(t, err)
			require.Equal(t, backup.Sum(content, &backup.SumOptions{SHA256: true}), f.Sums, "%q", f.Path)
			sums[backup.B3Sum][f.BLAKE3.String()], sums[backup.SHA256Sum][f.SHA256.String()] = true, true
		}
		require.Equal(t, paths, got)
		for format, ours := range sums {
			args := []string{"--"}
			for _, p := range paths {
				args = append(args, "./"+p)
			}
			out, err := run(t, dir, nil, string(format), args...)
			require.NoError(t, err)
			for line := range strings.Lines(out) {
				require.True(t, ours[strings.TrimPrefix(line, `\`)[:64]], "%s: %s", format, line)
			}
		}
	}
	for f, err := range backup.SumFS(context.Background(), openDir(t, dir), nil) {
		require.NoError(t, err)
		require.True(t, f.SHA256.IsZero(), "not asked for")
	}
}

func TestSumFSOfAnyTree(t *testing.T) {
	name := rapid.StringMatching(`[a-c\-.]{1,2}`).Filter(func(s string) bool { return s != "." && s != ".." })
	rapid.Check(t, func(rt *rapid.T) {
		tree := fstest.MapFS{}
		for range rapid.IntRange(0, 200).Draw(rt, "files") {
			tree[strings.Join(rapid.SliceOfN(name, 1, 4).Draw(rt, "path"), "/")] = &fstest.MapFile{Data: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "content")}
		}
		var want []string
		for path := range tree {
			for other := range tree {
				if strings.HasPrefix(other, path+"/") {
					delete(tree, other) // below a file
				}
			}
		}
		for path := range tree {
			want = append(want, path)
		}
		slices.Sort(want)
		var got []string
		for f, err := range backup.SumFS(context.Background(), tree, nil) {
			require.NoError(rt, err)
			got = append(got, f.Path)
			require.Equal(rt, backup.Sum(tree[f.Path].Data, nil), f.Sums)
		}
		require.Equal(rt, want, got)
	})
}

func TestSumFSNamesWhatItCannotReadAndGoesOn(t *testing.T) {
	tree := failing{mapFS(map[string]string{"a": "1", "b\\": "2", "d/x": "3", "d-x": "4", "e": string(pattern(large)), "z": "5"}),
		map[string]error{"b\\": fs.ErrPermission, "d": syscall.EIO, "e": fs.ErrPermission}}
	tree.MapFS["link"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("a")}
	tree.MapFS["fifo"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
	var got []string
	for f, err := range backup.SumFS(context.Background(), tree, nil) {
		if err != nil {
			require.ErrorContains(t, err, backup.Quote(f.Path)+": ")
			require.Zero(t, f.Sums)
			f.Path += "!"
		}
		got = append(got, f.Path)
	}
	require.Equal(t, []string{"a", `b\!`, "d-x", "d!", "e!", "z"}, got)

	for f, err := range backup.SumFS(context.Background(), nil, nil) {
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Zero(t, f)
	}
}

func TestSumFSLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 {
		put(t, dir, fmt.Sprintf("%d/%03d", i%10, i), []byte{1})
	}
	put(t, dir, "5/large", pattern(5<<20))
	tree := openDir(t, dir)
	for _, after := range []int{1, 63, 64, 65, 500, 550, 1001, 5000} {
		leaksNothing(t, func() {
			n := 0
			for _, err := range backup.SumFS(context.Background(), tree, nil) {
				require.NoError(t, err)
				if n++; n == after {
					break
				}
			}
			require.Equal(t, min(after, 1001), n)
		})
		leaksNothing(t, func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			n, failed := 0, 0
			for _, err := range backup.SumFS(ctx, tree, nil) {
				if err != nil {
					require.ErrorIs(t, err, context.Canceled)
					failed++
				} else if n++; n == after {
					cancel()
				}
			}
			require.Equal(t, min(after, 1001), n)
			if after < 1001 {
				require.Equal(t, 1, failed, "the context's error is the last that comes")
			}
		})
	}
}
