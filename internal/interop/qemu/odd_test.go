package qemu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

// laid makes an image on another that need not be there, or be what it is called.
func laid(t *testing.T, name, on, format string) string {
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	if on == "" {
		qemu(t, "create", "-q", "-f", "qcow2", name, "1M")
	} else {
		qemu(t, "create", "-q", "-u", "-f", "qcow2", "-b", on, "-F", format, name, "1M")
	}
	return name
}

// chained returns the chain of an image by the names that qemu opens, which lead where its kernel says.
func chained(t *testing.T, name string) (files []string) {
	var list []struct {
		Name string `json:"filename"`
	}
	require.NoError(t, json.Unmarshal([]byte(qemu(t, "info", "--backing-chain", "--output=json", name)), &list))
	for _, l := range list {
		files = append(files, l.Name)
	}
	return files
}

func patch(t *testing.T, name string, at int, with ...byte) {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	copy(b[at:], with)
	require.NoError(t, os.WriteFile(name, b, 0o600))
}

func TestRelativeNamesLeadWhereQemuGoes(t *testing.T) {
	dir := need(t)
	base := laid(t, dir+"/a/base.qcow2", "", "")
	laid(t, dir+"/a/b/mid.qcow2", "../base.qcow2", "qcow2")
	require.NoError(t, os.MkdirAll(dir+"/d/deep/er", 0o755))
	require.NoError(t, os.Symlink("../d/deep/er", dir+"/a/turn"))
	require.NoError(t, os.Symlink("../../a/base.qcow2", dir+"/d/deep/to-base"))
	require.NoError(t, os.WriteFile(dir+"/a/b/disk", make([]byte, 1<<20), 0o600))
	for i, on := range []string{
		"../a/b/mid.qcow2", "../a/.//b/../b/mid.qcow2", "../a/turn/../to-base", dir + "/a/b/mid.qcow2", "../d/../a/base.qcow2", "../a/turn/../../../a/base.qcow2",
		"../../" + filepath.Base(dir) + "/a/base.qcow2", "file:" + base,
	} {
		tip := laid(t, fmt.Sprintf("%s/c/tip-%d.qcow2", dir, i), on, "qcow2")
		var want []string
		for _, name := range chained(t, tip) {
			name, err := filepath.EvalSymlinks(name)
			require.NoError(t, err, on)
			want = append(want, name)
		}
		g, _, v := scan(t, dir)
		require.Empty(t, v.Findings, on)
		got := walk(g, tip)
		require.Equal(t, want, got, on)
		require.Equal(t, base, got[len(got)-1])
		alone, _, _ := scan(t, tip, dir+"/a", dir+"/d")
		require.Equal(t, got, walk(alone, tip), on)
		require.True(t, opens(tip))
	}
	onRaw := laid(t, dir+"/a/on-raw.qcow2", "b/disk", "raw")
	g, _, v := scan(t, dir)
	require.Empty(t, v.Findings)
	require.Equal(t, backing(t, onRaw), walk(g, onRaw))
	for _, on := range []string{"base.qcow2/", "base.qcow2/../base.qcow2", "turn/base.qcow2", ":base.qcow2", "file:base.qcow2"} { // none of which qemu opens, from another folder
		odd := laid(t, dir+"/a/odd.qcow2", on, "qcow2")
		require.False(t, opens(odd), on)
		g, r, _ := scan(t, dir)
		at, _ := g.Find(odd)
		_, most := r.Usable(at)
		require.Zero(t, most, on)
	}
}

func TestFormatsOnRecordAreHeldToWhatIsThere(t *testing.T) {
	dir := need(t)
	base := laid(t, dir+"/base.qcow2", "", "")
	tip := laid(t, dir+"/tip.qcow2", "base.qcow2", "qcow2")
	raw := laid(t, dir+"/raw.qcow2", "base.qcow2", "raw")
	wrong := laid(t, dir+"/wrong.qcow2", "base.qcow2", "vmdk")
	_, r, v := scan(t, dir)
	require.Equal(t, []string{image.RuleMistaken}, rules(v.Findings))
	require.Len(t, v.Findings, 2)
	for name, works := range map[string]bool{tip: true, raw: true, wrong: false} {
		at, _ := r.Graph().Find(name)
		_, most := r.Usable(at)
		require.Equal(t, opens(name), most > 0, name)
		require.Equal(t, works, most > 0, name)
	}
	patch(t, base, 0, 0, 0, 0, 0) // its first bytes are lost
	require.False(t, opens(tip))
	_, r, v = scan(t, dir)
	require.Contains(t, rules(v.Findings), image.RuleMistaken)
	at, _ := r.Graph().Find(tip)
	_, most := r.Usable(at)
	require.Zero(t, most)

	b, err := os.ReadFile(tip) // the format is taken off the record
	require.NoError(t, err)
	at = bytes.Index(b[:512], []byte{0xe2, 0x79, 0x2a, 0xca})
	patch(t, tip, at, 1, 2, 3, 4)
	patch(t, base, 0, 'Q', 'F', 'I', 0xfb)
	require.True(t, opens(tip))
	_, _, v = scan(t, tip)
	require.Equal(t, []string{image.RuleGuessed}, rules(v.Findings))
}

// encrypted makes an image with a key, whose rounds qemu measures, and not always at the first attempt.
func encrypted(t *testing.T, args ...string) {
	require.Eventually(t, func() bool {
		return exec.Command("qemu-img", append(append([]string{"create", "-q", "--object", "secret,id=s,data=x"}, args...), "1M")...).Run() == nil
	}, time.Minute, 10*time.Millisecond)
}

func TestPointsMarksAndDataFilesAreThoseOfQemu(t *testing.T) {
	dir := need(t)
	for _, n := range []int{0, 1, 40} {
		name := laid(t, fmt.Sprintf("%s/points-%d.qcow2", dir, n), "", "")
		for i := range n {
			qemu(t, "snapshot", "-c", fmt.Sprint("night #", i%30), name) // names may come twice
		}
		var info struct {
			Snapshots []struct {
				Name string `json:"name"`
				ID   string `json:"id"`
				Sec  int64  `json:"date-sec"`
			} `json:"snapshots"`
		}
		require.NoError(t, json.Unmarshal([]byte(qemu(t, "info", "--output=json", name)), &info))
		g, r, v := scan(t, name)
		require.Empty(t, v.Findings)
		require.Empty(t, r.Findings)
		require.Equal(t, n+1, g.Len())
		for i, s := range info.Snapshots {
			want := name + "#" + s.Name
			if i >= 30 {
				want += "#" + s.ID
			}
			at, ok := g.Find(want)
			require.True(t, ok, want)
			require.Equal(t, s.Sec, g.Node(at).Created.Unix())
		}
	}
	require.NoError(t, os.Mkdir(dir+"/data", 0o755))
	external := dir + "/external.qcow2"
	qemu(t, "create", "-q", "-f", "qcow2", "-o", "data_file="+dir+"/data/it.raw", external, "1M")
	qemu(t, "amend", "-q", "-f", "qcow2", "-o", "data_file=data/it.raw", external)
	locked, luks := dir+"/locked.qcow2", dir+"/locked.luks"
	encrypted(t, "-f", "qcow2", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", locked)
	encrypted(t, "-f", "luks", "-o", "key-secret=s,iter-time=10", luks)
	dirty := dir + "/dirty.qcow2"
	qemu(t, "create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", dirty, "1M")
	patch(t, dirty, 79, 1)
	corrupt := laid(t, dir+"/corrupt.qcow2", "", "")
	patch(t, corrupt, 79, 2)
	g, _, v := scan(t, dir)
	by := map[string]string{}
	for _, f := range v.Findings {
		by[filepath.Base(f.Path)] += f.Rule
	}
	require.Equal(t, map[string]string{"external.qcow2": image.RuleRelative, "locked.qcow2": image.RuleEncrypted, "dirty.qcow2": image.RuleDirty, "corrupt.qcow2": image.RuleCorrupt}, by)
	require.Contains(t, qemu(t, "info", dirty), "cleanly shut down: no")
	require.Contains(t, qemu(t, "info", corrupt), "corrupt: true")
	require.False(t, opens(external), "from anywhere")
	beside := exec.Command("qemu-io", "-r", "-c", "read 0 64k", external)
	beside.Dir = dir
	require.NoError(t, beside.Run())
	require.Equal(t, []string{external, dir + "/data/it.raw"}, walk(g, external))
	_, ok := g.Find(luks)
	require.False(t, ok, "raw, as nobody refers to it")
}

// Each of these bytes makes qemu refuse the image, or not; and so it is here.
func TestHeadersAreBrokenWhereQemuRefusesThem(t *testing.T) {
	dir := need(t)
	base := laid(t, dir+"/base.qcow2", "", "")
	tip := laid(t, dir+"/tip.qcow2", filepath.Base(base), "qcow2")
	whole, err := os.ReadFile(tip)
	require.NoError(t, err)
	for _, c := range []struct {
		at    int
		bytes []byte
	}{
		{4, []byte{0, 0, 0, 1}}, {4, []byte{0, 0, 0, 4}}, {20, []byte{0, 0, 0, 8}}, {20, []byte{0, 0, 0, 22}}, {8, []byte{0, 0, 0, 0, 0, 1, 0, 1}}, {16, []byte{0, 0, 4, 0}},
		{26, []byte{1}}, {24, []byte{0x7f}}, {28, []byte{0x20}}, {28, []byte{0x20, 0, 0, 1}}, {35, []byte{3}}, {36, []byte{0, 0, 0, 0}}, {36, []byte{0, 0x40, 0, 1}}, {40, []byte{0x80}},
		{47, []byte{1}}, {48, []byte{0x80}}, {55, []byte{1}}, {56, []byte{0, 0, 0, 0}}, {56, []byte{0, 0, 0, 129}}, {71, []byte{1}}, {64, []byte{0x80}}, {72, []byte{1}}, {79, []byte{8}},
		{79, []byte{0x20}}, {96, []byte{0, 0, 0, 7}}, {100, []byte{0, 0, 0, 96}}, {100, []byte{0, 1, 0, 8}}, {104, []byte{1}}, {104, []byte{2}}, {80, []byte{0xff}}, {88, []byte{0xff}},
		{116, []byte{0, 0, 0, 16}}, {116, []byte{0xff}}, {136, []byte{0xff}},
	} {
		require.NoError(t, os.WriteFile(tip, whole, 0o600))
		patch(t, tip, c.at, c.bytes...)
		_, r, v := scan(t, dir)
		at, ok := r.Graph().Find(tip)
		require.True(t, ok)
		_, most := r.Usable(at)
		require.Equal(t, opens(tip), most > 0, "%d: %x: %+v", c.at, c.bytes, v.Findings)
	}
}
