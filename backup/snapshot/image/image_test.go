//go:build unix

package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

func folder(t testing.TB, files map[string][]byte) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, content := range files {
		full := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, content, 0o600))
	}
	return dir
}

func scan(t testing.TB, paths ...string) (map[string]snapshot.Node, []snapshot.Finding) {
	v, err := image.Scan(context.Background(), paths...)
	require.NoError(t, err)
	nodes := map[string]snapshot.Node{}
	for _, n := range v.Nodes {
		require.NotContains(t, nodes, n.ID)
		nodes[n.ID] = n
	}
	_, err = v.Graph()
	require.NoError(t, err)
	return nodes, v.Findings
}

func rules(list []snapshot.Finding) (names []string) {
	for _, f := range list {
		names = append(names, f.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestParentsOfEachFormat(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"base.vhd": vhd(3, 1, 0, "", false), "diff.vhd": vhd(4, 2, 1, `.\base.vhd`, false), "sub/inside.vhd": vhd(4, 3, 2, `diff.vhd`, true),
		"base.vhdx": vhdx(write, nil),
		"diff.vhdx": vhdx("00000000-0000-0000-0000-000000000002", map[string]string{"parent_linkage": "{" + strings.ToUpper(write) + "}", "relative_path": `.\base.vhdx`}),
		"base.vmdk": descriptor("aaaaaaaa", "ffffffff", "", "base-delta.vmdk"), "base-delta.vmdk": []byte("COWD" + strings.Repeat("\x00", 600)),
		"diff.vmdk": descriptor("bbbbbbbb", "AAAAAAAA", "base.vmdk", "diff-delta.vmdk"), "diff-delta.vmdk": []byte("COWD"),
		"base.qcow2": qcow2("", 0), "diff.qcow2": qcow2("base.qcow2", 0), "other/far.qcow2": qcow2("../diff.qcow2", 0),
		"on-raw.qcow2": onRaw("disk"), "disk": make([]byte, 4096), "readme": []byte("no image"),
	})
	nodes, findings := scan(t, dir)
	for child, parent := range map[string]string{
		"diff.vhd": "base.vhd", "diff.vhdx": "base.vhdx", "diff.vmdk": "base.vmdk", "diff.qcow2": "base.qcow2", "other/far.qcow2": "diff.qcow2", "on-raw.qcow2": "disk",
	} {
		n := nodes[dir+"/"+child]
		require.Empty(t, n.Broken, child)
		require.NotEmpty(t, n.Needs, child)
		require.Equal(t, dir+"/"+parent, n.Needs[len(n.Needs)-1].ID)
		require.True(t, n.Restore)
		require.Contains(t, nodes, dir+"/"+parent)
	}
	require.Equal(t, int64(8<<20), nodes[dir+"/diff.vhdx"].Virtual)
	require.Equal(t, int64(8<<20), nodes[dir+"/diff.vhd"].Virtual)
	require.Equal(t, int64(8<<20), nodes[dir+"/diff.vmdk"].Virtual)
	require.False(t, nodes[dir+"/diff-delta.vmdk"].Restore)
	require.NotContains(t, nodes, dir+"/readme")
	require.True(t, nodes[dir+"/disk"].Restore)
	require.Empty(t, findings, "%v", findings)
	require.Equal(t, dir+"/sub/diff.vhd", nodes[dir+"/sub/inside.vhd"].Needs[0].ID, "where its name says, and there is nothing")
}

func TestAParentThatIsAnotherNowIsFound(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"base.vhd": vhd(3, 9, 0, "", false), "diff.vhd": vhd(4, 2, 1, `base.vhd`, false),
		"base.vhdx": vhdx("00000000-0000-0000-0000-000000000001", nil), "diff.vhdx": vhdx(write, map[string]string{"parent_linkage": write, "relative_path": `base.vhdx`}),
		"base.vmdk": descriptor("aaaaaaab", "ffffffff", ""), "diff.vmdk": descriptor("b", "aaaaaaaa", "base.vmdk"),
		"raw": make([]byte, 2048), "odd.vmdk": descriptor("b", "aaaaaaaa", "raw"),
	})
	nodes, findings := scan(t, dir)
	require.Equal(t, []string{image.RuleModified}, rules(findings))
	require.Len(t, findings, 4)
	for _, name := range []string{"diff.vhd", "diff.vhdx", "diff.vmdk", "odd.vmdk"} {
		require.Contains(t, nodes[dir+"/"+name].Broken, "its parent was changed since", name)
	}
	require.Equal(t, opsec.SeverityCritical, findings[0].Severity)
}

func TestHeadersThatLieAreFindings(t *testing.T) {
	plain, diff := qcow2("", 0), qcow2("base.qcow2", 0)
	long := qcow2(strings.Repeat("x", 10<<20), 0)
	for name, content := range map[string][]byte{
		"version 9": put(plain, 7, 9), "clusters of 2^63": put(plain, 23, 63), "a disk of": put(plain, 24, 0xff), "a header of 4": put(plain, 100, 0, 0, 0, 4),
		"a header of 16777216": put(plain, 100, 1, 0, 0, 0), "whose name has 10485760 bytes": long, "whose name has 0 bytes": put(diff, 16, 0, 0, 0, 0),
		"it ends before": put(diff, 14, 0xff, 0), "an extension of its header": put(plain, 108, 0x7f), "features that are not known": qcow2("", 1<<40),
		"its data is in another file": qcow2("", 4), "4294967295 internal snapshots": put(plain, 60, 0xff, 0xff, 0xff, 0xff),
		"internal snapshot with": append(append(put(plain, 60, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0), make([]byte, 1<<16-len(plain)+36)...), 0xff, 0, 0, 0),
		"a first table of 0":     put(plain, 39, 0), "a first table of 5242880": put(plain, 37, 0x50, 0, 0), "a first table of 1 entries, want 2": put(plain, 28, 0x20, 0, 0, 1),
		"a first table of 1 entries, want 5": put(qcow2("", 16), 28, 0x40), "a first table at 196609": put(plain, 47, 1), "a first table at 9": put(plain, 40, 0x80),
		"a table of 0 clusters that": put(plain, 59, 0), "a table of 129 clusters that": put(plain, 59, 129), "a table at 65537 that": put(plain, 55, 1),
		"a table of internal snapshots at 8": put(plain, 71, 8), "encryption by method 3": put(plain, 35, 3), "counts of 2^7 bits": put(plain, 99, 7),
		"compression of type 0": qcow2("", 8), "compression of type 1": typed(0, 1), "compression of type 2": typed(8, 2),
		"at 65537, want 1 to 1023 in the first": put(diff, 13, 1, 0, 1), "at 65530, want 1 to 1023 in the first": put(diff, 14, 0xff, 0xfa), "15 for a format": put(diff, 111, 16),
		"whose name is empty":        put(diff, len(diff)-512-10, 0),
		"neither of its footers":     put(put(vhd(3, 1, 0, "", false), 70, 9), len(vhd(3, 1, 0, "", false))-400, 1),
		"its header has not the sum": put(vhd(3, 1, 0, "", false), 600, 9), "a disk of type": func() []byte {
			b := vhd(3, 1, 0, "", false)
			f := summed(put(put(b[len(b)-512:], 64, 0, 0, 0, 0), 60, 0, 0, 0, 7), 64)
			return put(b, len(b)-512, f...)
		}(),
		"does not say which":          vhd(4, 1, 2, "", true),
		"neither of its headers":      put(put(vhdx(write, nil), 64<<10+100, 1), 128<<10+100, 1),
		"neither of its tables":       put(put(vhdx(write, nil), 192<<10+100, 1), 256<<10+100, 1),
		"its metadata are none":       put(vhdx(write, nil), 1<<20, 'x'),
		"its metadata has no param":   put(vhdx(write, nil), 1<<20+10, 0),
		"does not say where":          vhdx(write, map[string]string{"parent_linkage": write}),
		"a list of 65535 keys":        put(vhdx(write, map[string]string{"a": "b"}), 1<<20+64<<10+16+18, 0xff, 0xff),
		"none by its content id":      descriptor("a", "ffffffff", "base"),
		"and does not say where":      descriptor("a", "b", ""),
		"an extent of":                append(descriptor("a", "ffffffff", ""), "RW 99999999999999999999 FLAT \"x\"\n"...),
		"a descriptor of":             put(append([]byte("KDMV"), make([]byte, 600)...), 28, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0),
		"XML of a snapshot that":      []byte("<domainsnapshot><name>x</name"),
		"a disk of 18446744073709551": put(append([]byte("KDMV"), make([]byte, 600)...), 12, bytes.Repeat([]byte{0xff}, 8)...),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := image.Read(bytes.NewReader(content), int64(len(content)))
			require.NoError(t, err)
			want := strings.TrimSuffix(name, "551")
			if want != "features that are not known" {
				require.Contains(t, h.Broken, want)
				require.Contains(t, rules(h.Findings), image.RuleHeader)
			} else {
				require.Contains(t, h.Broken, want)
				require.Contains(t, rules(h.Findings), image.RuleUnknown)
			}
		})
	}
}

func TestMarksOfTroubleAreFindings(t *testing.T) {
	log := vhdx(write, nil)
	h := log[128<<10:][:4096]
	copy(h[48:], id(1))
	crc(h)
	damaged := vhd(3, 1, 0, "", false)
	damaged[len(damaged)-100] = 1
	for rule, content := range map[string][]byte{
		image.RuleDirty: qcow2("", 1), image.RuleCorrupt: qcow2("", 2), image.RuleEncrypted: put(qcow2("", 0), 35, 2),
		image.RuleGuessed: put(qcow2("base", 0), 104, 0, 0, 0, 1), image.RuleRelative: put(qcow2("", 4), 104, 'D', 'A', 'T', 'A'), image.RuleDirty + " ": log, image.RuleDirty + "  ": damaged,
	} {
		h, err := image.Read(bytes.NewReader(content), int64(len(content)))
		require.NoError(t, err)
		require.Equal(t, []string{strings.TrimSpace(rule)}, rules(h.Findings))
		require.Empty(t, h.Broken)
	}
}

func TestNothingOutsideIsOpened(t *testing.T) {
	outside := folder(t, map[string][]byte{"secret": qcow2("", 0)})
	dir := folder(t, map[string][]byte{
		"up.qcow2": qcow2("../../../../../../../../etc/passwd", 0), "absolute.qcow2": qcow2(outside+"/secret", 0), "linked.qcow2": qcow2("link", 0),
		"through.qcow2": qcow2("linked-folder/secret", 0), "loop.qcow2": qcow2("loop", 0), "twice.qcow2": qcow2("a/../../"+filepath.Base(outside)+"/secret", 0),
		"fifo.qcow2": qcow2("fifo", 0), "itself.qcow2": qcow2(".", 0), "device.qcow2": qcow2("/dev/zero", 0), "fine.qcow2": qcow2("good-link", 0),
		"windows.vhd": vhd(4, 1, 2, `C:\Windows\system.vhd`, false), "real.qcow2": qcow2("", 0), "a/x": nil, "colon.qcow2": qcow2("a:b", 0),
	})
	require.NoError(t, os.Symlink(outside+"/secret", dir+"/link"))
	require.NoError(t, os.Symlink(outside, dir+"/linked-folder"))
	require.NoError(t, os.Symlink("loop", dir+"/loop"))
	require.NoError(t, os.Symlink(dir+"/real.qcow2", dir+"/good-link"))
	require.NoError(t, syscall.Mkfifo(dir+"/fifo", 0o600))
	done := make(chan struct{})
	go func() { // a FIFO that is opened waits for ever
		defer close(done)
		nodes, findings := scan(t, dir)
		by := map[string]string{}
		for _, f := range findings {
			by[strings.TrimPrefix(f.Path, dir+"/")] = f.Rule
		}
		require.Equal(t, map[string]string{
			"up.qcow2": image.RuleOutside, "absolute.qcow2": image.RuleOutside, "linked.qcow2": image.RuleOutside, "through.qcow2": image.RuleOutside,
			"loop.qcow2": image.RuleUnread, "twice.qcow2": image.RuleOutside, "fifo.qcow2": image.RuleNotAFile, "itself.qcow2": image.RuleNotAFile,
			"device.qcow2": image.RuleOutside, "windows.vhd": image.RuleForeign, "colon.qcow2": image.RuleForeign,
		}, by)
		require.Equal(t, dir+"/real.qcow2", nodes[dir+"/fine.qcow2"].Needs[0].ID, "what a link leads to, if that is here")
		for path := range nodes {
			require.True(t, strings.HasPrefix(path, dir+"/"), path)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for a FIFO")
	}
}

func TestAFileThatIsNamedBringsWhatItNeeds(t *testing.T) {
	dir := folder(t, map[string][]byte{"a": make([]byte, 600), "b": onRaw("a"), "c": qcow2("b", 0), "d": qcow2("", 0)})
	nodes, findings := scan(t, dir+"/c", dir+"/a")
	require.Empty(t, findings)
	require.Len(t, nodes, 3)
	nodes, _ = scan(t, dir+"/a")
	require.Equal(t, "raw", nodes[dir+"/a"].Format)
	require.NoError(t, os.Symlink(dir+"/c", dir+"/link"))
	nodes, _ = scan(t, dir+"/link")
	require.Contains(t, nodes, dir+"/c")
	_, err := image.Scan(context.Background(), dir+"/nothing")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = image.Scan(context.Background(), "/dev/null")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = image.Scan(ended, dir)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSnapshotsOfMachinesAndDocuments(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"base.qcow2": qcow2("", 0), "overlay.qcow2": qcow2("base.qcow2", 0), "machine.mem": make([]byte, 100),
		"before-upgrade.xml": []byte(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
<domainsnapshot><name>before upgrade</name><creationTime>1772416800</creationTime>
 <memory snapshot="external" file="machine.mem"/>
 <disks><disk name="vda" snapshot="external"><source file="overlay.qcow2"/></disk><disk name="vdb" snapshot="no"/>
 <disk name="vdc" snapshot="external"><source protocol="rbd" name="pool/x"/></disk></disks>
 <domain><devices><disk type="file" device="disk"><source file="base.qcow2"/><target dev="vda"/></disk>
 <disk device="cdrom"><source file="cd.iso"/><target dev="sda"/></disk></devices></domain></domainsnapshot>`),
		"ceph.json": []byte(`{"snapshots": [{"id": "pool/vm@mon", "restore": true}, {"id": "pool/vm@tue", "restore": true, "needs": [{"id": "pool/vm@mon", "as": "parent"}]}]}`),
		"bad.json":  []byte(`{"snapshots": [{"id": "x", "colour": "red"}]}`),
		"other":     []byte(`{"name": "no document of ours"}`),
	})
	nodes, findings := scan(t, dir)
	point := nodes[dir+"/before-upgrade.xml#before upgrade"]
	require.True(t, point.Restore)
	require.Equal(t, time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC), point.Created)
	require.Equal(t, []snapshot.Need{
		{ID: dir + "/base.qcow2", As: snapshot.AsContains}, {ID: "rbd:pool/x", As: snapshot.AsContains}, {ID: dir + "/machine.mem", As: snapshot.AsContains},
	}, point.Needs)
	require.False(t, nodes[dir+"/machine.mem"].Restore)
	require.Contains(t, nodes, "pool/vm@tue")
	require.Equal(t, []string{image.RuleForeign, image.RuleHeader}, rules(findings))
	_, err := image.Document(strings.NewReader(`{"snapshots": [{"id": "x"}], "more": 1}`))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// What qemu-img itself makes of these headers is in internal/interop/qemu.
func TestHeadersAtTheirBoundsAreFine(t *testing.T) {
	diff := qcow2("base.qcow2", 0)
	for name, content := range map[string][]byte{
		"the most counts": put(qcow2("", 0), 59, 128), "the least of extended entries": put(qcow2("", 16), 28, 0x10, 0, 0, 0), "the most of one entry": put(qcow2("", 0), 28, 0x20, 0, 0, 0),
		"counts of 64 bits": put(qcow2("", 0), 99, 6), "zstd": typed(8, 1), "a header of one cluster": put(put(put(put(qcow2("", 0), 20, 0, 0, 0, 9), 38, 1, 0), 100, 0, 0, 2, 0), 104, make([]byte, 16)...), "": qcow2("", 0),
		"a name up to a zero":     put(diff, len(diff)-512-6, 0),
		"the last in its cluster": append(append(put(diff, 14, 0xff, 0xf6), make([]byte, 1<<16-len(diff)-10)...), "base.qcow2"...),
	} {
		h, err := image.Read(bytes.NewReader(content), int64(len(content)))
		require.NoError(t, err)
		require.Empty(t, h.Broken, name)
		if name == "a name up to a zero" {
			require.Equal(t, "base", h.Refs[0].Name)
		}
	}
}

func ExampleScan() {
	dir, _ := os.MkdirTemp("", "images")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(dir+"/base.qcow2", qcow2("", 0), 0o600)
	_ = os.WriteFile(dir+"/monday.qcow2", qcow2("base.qcow2", 0), 0o600)
	_ = os.WriteFile(dir+"/stolen.qcow2", qcow2("/etc/passwd", 0), 0o600)
	inventory, err := image.Scan(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range inventory.Nodes {
		fmt.Println(filepath.Base(n.ID), len(n.Needs))
	}
	for _, f := range inventory.Findings {
		fmt.Println(f.Severity, f.Rule, f.Text)
	}
	// Output:
	// base.qcow2 0
	// monday.qcow2 1
	// stolen.qcow2 1
	// high outside it refers to /etc/passwd: it leads out of what is looked at
}
