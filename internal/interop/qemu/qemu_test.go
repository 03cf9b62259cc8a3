// Package qemu holds backup/snapshot/image to what qemu-img itself makes and can open.
package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

func qemu(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	require.NoError(t, err, "qemu-img %v: %s", args, out)
	return string(out)
}

func need(t *testing.T) string {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("qemu-img is absent: apt-get install qemu-utils")
		}
		t.Skip("qemu-img is absent: apt-get install qemu-utils")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return dir
}

func scan(t *testing.T, paths ...string) (*snapshot.Graph, *snapshot.Report, *image.Inventory) {
	v, err := image.Scan(context.Background(), paths...)
	require.NoError(t, err)
	g, err := v.Graph()
	require.NoError(t, err)
	r, err := g.Analyze(snapshot.FailureModel{P: 0.01, Now: time.Now()}, nil)
	require.NoError(t, err)
	r.Add(v.Findings...)
	return g, r, v
}

func rules(list []snapshot.Finding) (names []string) {
	for _, f := range list {
		names = append(names, f.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// chain makes images each of which is laid on the one before.
func chain(t *testing.T, dir, format string, n int) (names []string) {
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("%03d.%s", i, format))
		args := []string{"create", "-q", "-f", format}
		if i > 0 {
			args = append(args, "-b", filepath.Base(names[i-1]), "-F", format, name)
		} else {
			args = append(args, name, "64M")
		}
		qemu(t, args...)
		names = append(names, name)
	}
	return names
}

// backing returns the chain of an image as qemu-img sees it, the tip first.
func backing(t *testing.T, name string) (files []string) {
	var list []struct {
		Name string `json:"filename"`
	}
	require.NoError(t, json.Unmarshal([]byte(qemu(t, "info", "--backing-chain", "--output=json", name)), &list))
	for _, l := range list {
		abs := l.Name
		if !filepath.IsAbs(abs) {
			abs = filepath.Join(filepath.Dir(name), abs)
		}
		files = append(files, filepath.Clean(abs))
	}
	return files
}

// opens says whether qemu can open an image with all that it is laid on, and read its first cluster.
func opens(name string) bool {
	return exec.Command("qemu-io", "-r", "-c", "read 0 64k", name).Run() == nil
}

func walk(g *snapshot.Graph, id string) (files []string) {
	at, ok := g.Find(id)
	for ok {
		files = append(files, g.ID(at))
		ok = false
		for next := range g.Needs(at) {
			at, ok = next, true
		}
	}
	return files
}

func TestChainsAreThoseThatQemuSees(t *testing.T) {
	for _, format := range []string{"qcow2", "vmdk"} {
		t.Run(format, func(t *testing.T) {
			dir := need(t)
			names := chain(t, dir, format, 40)
			tip := names[len(names)-1]
			g, r, v := scan(t, dir)
			require.Empty(t, v.Findings)
			require.Equal(t, 40, g.Len())
			require.Equal(t, backing(t, tip), walk(g, tip))
			at, _ := g.Find(tip)
			require.Equal(t, 40, r.Depth(at))
			require.Equal(t, int64(64<<20), g.Node(at).Virtual)
			alone, _, _ := scan(t, tip) // by what it refers to, without the folder being searched
			require.Equal(t, walk(g, tip), walk(alone, tip))
		})
	}
}

func TestWhatADeletedImageBreaksIsWhatQemuCannotOpen(t *testing.T) {
	for _, format := range []string{"qcow2", "vmdk"} {
		t.Run(format, func(t *testing.T) {
			dir := need(t)
			names := chain(t, dir, format, 12)
			for i := range 2 { // two more, on the middle and on the first
				name := filepath.Join(dir, fmt.Sprintf("side-%d.%s", i, format))
				qemu(t, "create", "-q", "-f", format, "-b", filepath.Base(names[5*i]), "-F", format, name)
				names = append(names, name)
			}
			g, _, _ := scan(t, dir)
			for _, k := range []int{0, 3, 5, 11, 12} {
				loss, err := g.Destroy(names[k])
				require.NoError(t, err)
				require.NoError(t, os.Rename(names[k], names[k]+".gone"))
				after, _, _ := scan(t, dir)
				for i, name := range names {
					at, _ := g.Find(name)
					works := i != k && opens(name)
					require.Equal(t, !works, loss.Lost(at), "%s without %s", name, names[k])
					if i != k {
						at, _ = after.Find(name)
						r, err := after.Analyze(snapshot.FailureModel{P: 0.01, Now: time.Now()}, nil)
						require.NoError(t, err)
						_, most := r.Usable(at)
						require.Equal(t, works, most > 0, "%s, looked at again without %s", name, names[k])
					}
				}
				require.NoError(t, os.Rename(names[k]+".gone", names[k]))
			}
		})
	}
}

func TestInternalSnapshotsAndDataFiles(t *testing.T) {
	dir := need(t)
	base := filepath.Join(dir, "base.qcow2")
	qemu(t, "create", "-q", "-f", "qcow2", base, "64M")
	for i := range 5 {
		qemu(t, "snapshot", "-c", fmt.Sprint("night ", i), base)
	}
	data := filepath.Join(dir, "data.raw")
	external := filepath.Join(dir, "external.qcow2")
	qemu(t, "create", "-q", "-f", "qcow2", "-o", "data_file="+data+",data_file_raw=on", external, "64M")
	old := filepath.Join(dir, "old.qcow2")
	qemu(t, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "-b", "base.qcow2", "-F", "qcow2", old)
	locked := filepath.Join(dir, "locked.qcow2")
	qemu(t, "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x", "-o", "encrypt.format=aes,encrypt.key-secret=s", locked, "1M")
	wide := filepath.Join(dir, "wide.qcow2")
	qemu(t, "create", "-q", "-f", "qcow2", "-o", "extended_l2=on,compression_type=zstd,cluster_size=2M", wide, "64M")

	g, r, v := scan(t, dir)
	var points []string
	for i := range g.Len() {
		if name, ok := strings.CutPrefix(g.ID(i), base+"#"); ok {
			points = append(points, name)
			require.True(t, g.Restore(i))
			require.WithinDuration(t, time.Now(), g.Node(i).Created, time.Hour)
		}
	}
	require.Equal(t, []string{"night 0", "night 1", "night 2", "night 3", "night 4"}, points)
	require.Equal(t, []string{image.RuleEncrypted}, rules(v.Findings))
	at, ok := g.Find(data)
	require.True(t, ok)
	require.False(t, g.Restore(at))
	loss, err := g.Destroy(data)
	require.NoError(t, err)
	require.Equal(t, 1, loss.Points)
	require.NoError(t, os.Rename(data, data+".gone"))
	require.False(t, opens(external))
	loss, err = g.Destroy(base)
	require.NoError(t, err)
	require.Equal(t, 7, loss.Points, "itself, five points and what is laid on it")
	at, _ = g.Find(old)
	require.Equal(t, 2, r.Depth(at))
}

func TestLoopsMissingParentsAndReferencesByProtocolAreFindings(t *testing.T) {
	dir := need(t)
	names := chain(t, dir, "qcow2", 4)
	qemu(t, "rebase", "-u", "-b", filepath.Base(names[3]), "-F", "qcow2", names[1])
	missing := filepath.Join(dir, "missing.qcow2")
	qemu(t, "create", "-q", "-u", "-f", "qcow2", "-b", "gone.qcow2", "-F", "qcow2", missing, "1M")
	var foreign []string
	for i, to := range []string{"nbd:localhost:10809", `json:{"driver":"file","filename":"/etc/passwd"}`, "ssh://host/etc/passwd"} {
		name := filepath.Join(dir, fmt.Sprint("foreign-", i, ".qcow2"))
		qemu(t, "create", "-q", "-u", "-f", "qcow2", "-b", to, "-F", "raw", name, "1M")
		foreign = append(foreign, name)
	}
	outside := filepath.Join(dir, "outside.qcow2")
	qemu(t, "create", "-q", "-u", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", outside, "1M")
	_, r, v := scan(t, dir)
	require.Equal(t, []string{image.RuleForeign, image.RuleOutside}, rules(v.Findings))
	require.Subset(t, rules(r.Findings), []string{snapshot.RuleCycle, snapshot.RuleMissing, image.RuleForeign, image.RuleOutside})
	g := r.Graph()
	for _, name := range append(foreign, missing, outside, names[1], names[3]) {
		at, _ := g.Find(name)
		_, most := r.Usable(at)
		require.Zero(t, most, name)
	}
	at, _ := g.Find(names[0])
	low, _ := r.Usable(at)
	require.Positive(t, low)
	_, ok := g.Find("/etc/passwd")
	require.True(t, ok)
	at, _ = g.Find("/etc/passwd")
	require.True(t, g.Missing(at), "nobody has looked at it")
}

func TestAParentThatWasWrittenToIsFound(t *testing.T) {
	dir := need(t)
	names := chain(t, dir, "vmdk", 3)
	_, _, v := scan(t, dir)
	require.Empty(t, v.Findings)
	require.NoError(t, exec.Command("qemu-io", "-c", "write 0 64k", names[0]).Run())
	g, _, v := scan(t, dir)
	require.Equal(t, []string{image.RuleModified}, rules(v.Findings))
	at, _ := g.Find(names[1])
	require.Contains(t, g.Broken(at), "its parent was changed since")
	require.False(t, opens(names[1]), "qemu refuses it too")
	require.True(t, opens(names[0]))
}

func TestEachFormatOfQemuIsRead(t *testing.T) {
	dir := need(t)
	for name, args := range map[string][]string{
		"sparse.vmdk":  {"-f", "vmdk"},
		"flat.vmdk":    {"-f", "vmdk", "-o", "subformat=monolithicFlat"},
		"split.vmdk":   {"-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"},
		"stream.vmdk":  {"-f", "vmdk", "-o", "subformat=streamOptimized"},
		"dynamic.vhd":  {"-f", "vpc"},
		"fixed.vhd":    {"-f", "vpc", "-o", "subformat=fixed,force_size=on"},
		"dynamic.vhdx": {"-f", "vhdx"},
		"fixed.vhdx":   {"-f", "vhdx", "-o", "subformat=fixed"},
	} {
		file := filepath.Join(dir, name)
		qemu(t, append(append([]string{"create", "-q"}, args...), file, "8M")...)
		f, err := os.Open(file)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		h, err := image.Read(f, info.Size())
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Empty(t, h.Findings, name)
		require.Equal(t, strings.TrimPrefix(filepath.Ext(name), "."), string(h.Format))
		require.InDelta(t, 8<<20, h.Virtual, 64<<10, name) // VHD rounds to cylinders
	}
	g, r, v := scan(t, dir)
	require.Empty(t, v.Findings)
	require.Equal(t, 10, g.Len(), "and an extent each of flat and split")
	require.Empty(t, r.Findings)
}
