//go:build unix

package image_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/backup/snapshot/image"
)

func TestReferencesLeadWhereTheKernelWouldLead(t *testing.T) {
	top := folder(t, map[string][]byte{
		"a/home.qcow2": qcow2("../a/base.qcow2", 0), "a/across.qcow2": qcow2("../b/base.qcow2", 0), "a/link.qcow2": qcow2("to-b", 0), "a/deep/er/x": nil,
		"a/absolute.qcow2": qcow2("absolute-to-b", 0), "a/turn.qcow2": qcow2("turn/../base.qcow2", 0), "a/base.qcow2": qcow2("", 0), "a/deep/base.qcow2": qcow2("", 0),
		"a/slash.qcow2": qcow2("base.qcow2/", 0), "a/through.qcow2": qcow2("base.qcow2/../base.qcow2", 0), "a/dots.qcow2": qcow2("./deep//../base.qcow2", 0),
		"a/upper.qcow2": qcow2("..", 0), "a/out.qcow2": qcow2("../../"+"x/../base.qcow2", 0), "a/via-c.qcow2": qcow2("../c/base.qcow2", 0),
		"a/away.qcow2": qcow2("away/../base.qcow2", 0), "b/base.qcow2": qcow2("", 0), "c/base.qcow2": qcow2("", 0),
	})
	for name, to := range map[string]string{"to-b": "../b/base.qcow2", "absolute-to-b": top + "/b/base.qcow2", "turn": "deep/er", "away": top + "/c"} {
		require.NoError(t, os.Symlink(to, top+"/a/"+name))
	}
	nodes, findings := scan(t, top+"/a", top+"/b")
	for child, parent := range map[string]string{
		"home": "a/base.qcow2", "across": "b/base.qcow2", "link": "b/base.qcow2", "absolute": "b/base.qcow2", "turn": "a/deep/base.qcow2", "dots": "a/base.qcow2",
	} {
		require.Equal(t, top+"/"+parent, nodes[top+"/a/"+child+".qcow2"].Needs[0].ID, child)
	}
	by := map[string]string{}
	for _, f := range findings {
		by[strings.TrimPrefix(f.Path, top+"/a/")] = f.Rule
	}
	require.Equal(t, map[string]string{"upper.qcow2": image.RuleNotAFile, "out.qcow2": image.RuleOutside, "via-c.qcow2": image.RuleOutside, "away.qcow2": image.RuleOutside}, by)
	for _, child := range []string{"slash", "through", "out", "via-c", "away"} { // a file is no folder, and a link turns what comes after it
		require.NotContains(t, nodes, nodes[top+"/a/"+child+".qcow2"].Needs[0].ID, child)
	}
}

func TestManyFilesOfOneFolderTakeOneDescriptorForIt(t *testing.T) {
	files := map[string][]byte{}
	for i := range 200 {
		files[fmt.Sprint(i, ".qcow2")] = qcow2("", 0)
	}
	dir := folder(t, files)
	var names []string
	for name := range files {
		names = append(names, filepath.Join(dir, name))
	}
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: before.Max}))
	nodes, err := image.Scan(context.Background(), names...)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	require.NoError(t, err)
	require.Len(t, nodes.Nodes, 200)
}

// A path of any length can be made, a folder at a time; a graph takes names up to 32 KiB, and one that is longer would be the end of the whole report.
func TestFoldersThatAreTooDeepAreAFinding(t *testing.T) {
	dir := folder(t, map[string][]byte{"z.qcow2": qcow2("", 0)})
	at, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	step := strings.Repeat("d", 250)
	for range 140 {
		require.NoError(t, unix.Mkdirat(at, step, 0o700))
		next, err := unix.Openat(at, step, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Close(at))
		at = next
		f, err := unix.Openat(at, "x.vhd", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		require.NoError(t, err)
		_, err = unix.Write(f, vhd(3, 1, 0, "", false))
		require.NoError(t, err)
		require.NoError(t, unix.Close(f))
	}
	require.NoError(t, unix.Close(at))
	nodes, findings := scan(t, dir)
	require.Len(t, nodes, 33)
	require.Contains(t, nodes, dir+"/z.qcow2")
	require.Equal(t, []string{image.RuleUnread}, rules(findings))
	require.Len(t, findings, 1)
}

func TestFilesThatCannotBeOpenedAreNotPassedOverInSilence(t *testing.T) {
	dir := folder(t, map[string][]byte{"base.qcow2": qcow2("", 0), "other.qcow2": qcow2("", 0), "tip.qcow2": qcow2("base.qcow2", 0)})
	for top := dir; top != "/" && top != os.TempDir(); top = filepath.Dir(top) {
		require.NoError(t, os.Chmod(top, 0o755))
	}
	require.NoError(t, os.Chmod(dir+"/tip.qcow2", 0o644))
	if os.Getuid() == 0 {
		if runtime.GOOS != "linux" {
			t.Skip("root may read all")
		}
		runtime.LockOSThread() // a few files are read by who asks for them
		defer runtime.UnlockOSThread()
		require.NoError(t, becomeNobody(65534))
		defer func() { require.NoError(t, becomeNobody(0)) }()
	} else {
		require.NoError(t, os.Chmod(dir+"/base.qcow2", 0))
		require.NoError(t, os.Chmod(dir+"/other.qcow2", 0))
	}
	nodes, findings := scan(t, dir)
	require.Len(t, findings, 2)
	require.Equal(t, []string{image.RuleUnread}, rules(findings))
	require.NotEmpty(t, nodes[dir+"/base.qcow2"].Broken)
	require.NotContains(t, nodes, dir+"/other.qcow2", "who knows what it is")
}

func TestAHeaderCannotSpeakForAnotherFile(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"victim.qcow2": qcow2("base.qcow2", 0), "base.qcow2": qcow2("", 0),
		"flat.vmdk": []byte("# Disk DescriptorFile\nCID=a\nparentCID=ffffffff\nRW 1 FLAT \"victim.qcow2\" 0\nRW 1 SPARSE \"base.qcow2\"\nRW 1 FLAT \"raw\" 0\n"), "raw": make([]byte, 600),
		"zeroed.qcow2": make([]byte, 600), "tip.qcow2": qcow2("zeroed.qcow2", 0), "as-raw.qcow2": onRaw("victim.qcow2"),
	})
	nodes, findings := scan(t, dir)
	require.True(t, nodes[dir+"/victim.qcow2"].Restore, "that another image calls it a part does not make it one")
	require.True(t, nodes[dir+"/base.qcow2"].Restore)
	require.False(t, nodes[dir+"/raw"].Restore)
	require.Equal(t, dir+"/base.qcow2", nodes[dir+"/victim.qcow2"].Needs[0].ID)
	require.Contains(t, nodes[dir+"/tip.qcow2"].Broken, "its header is of raw", "qemu does not open it either")
	require.Empty(t, nodes[dir+"/as-raw.qcow2"].Broken)
	require.Equal(t, []string{image.RuleMistaken}, rules(findings))
	require.Len(t, findings, 3)
}

func TestOneFileDoesNotSpoilTheGraph(t *testing.T) {
	many := "# Disk DescriptorFile\nCID=a\nparentCID=ffffffff\n" + strings.Repeat("RW 562949953421311 ZERO\n", 16_400) // of which the sum is above 2^63
	dir := folder(t, map[string][]byte{
		"many.vmdk": []byte(many), "nameless.json": []byte(`{"snapshots": [{"id": ""}]}`), "negative.json": []byte(`{"snapshots": [{"id": "x", "size": -1}]}`),
		"need.json": []byte(`{"snapshots": [{"id": "x", "needs": [{"id": ""}]}]}`), "replicas.json": []byte(`{"snapshots": [{"id": "x", "replicas": 70000}]}`),
		"long.json": []byte(`{"snapshots": [{"id": "` + strings.Repeat("x", snapshot.MaxIDLen+1) + `"}]}`),
		"end.xml":   []byte("<domainsnapshot><name>x</name><creationTime>9000000000000</creationTime></domainsnapshot>"),
	})
	nodes, findings := scan(t, dir)
	require.Equal(t, int64(1<<59), nodes[dir+"/many.vmdk"].Virtual)
	require.Equal(t, []string{image.RuleHeader}, rules(findings))
	require.Len(t, findings, 5)
	require.Len(t, nodes, 2)
	require.Zero(t, nodes[dir+"/end.xml#x"].Created)
}

func TestWhatIsListedIsBoundedOverAllFiles(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"a.json": []byte(`{"snapshots": [{"id": "x", "needs": [{"id": "y"}, {"id": "z"}]}]}`), "b.qcow2": qcow2("", 0), "c.qcow2": qcow2("b.qcow2", 0),
	})
	v, err := image.ScanAfter(context.Background(), image.MaxListed-4, dir)
	require.NoError(t, err)
	require.Empty(t, v.Findings)
	require.Len(t, v.Nodes, 3)
	v, err = image.ScanAfter(context.Background(), image.MaxListed-3, dir)
	require.NoError(t, err)
	require.Equal(t, []string{image.RuleUnread}, rules(v.Findings))
	require.Equal(t, dir+"/c.qcow2", v.Findings[0].Path)
	require.Contains(t, v.Nodes[2].Broken, "more than a scan takes")
}

func TestFoldersAreReadWhileTheyChange(t *testing.T) {
	outside := folder(t, map[string][]byte{"in/secret.qcow2": qcow2("", 0)})
	dir := folder(t, map[string][]byte{"in/secret.qcow2": onRaw("disk"), "in/disk": make([]byte, 600)})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(dir+"/in", dir+"/was")
			_ = os.Symlink(outside+"/in", dir+"/in")
			_ = os.Remove(dir + "/in")
			_ = os.Rename(dir+"/was", dir+"/in")
			_ = os.Rename(dir+"/in/secret.qcow2", dir+"/in/kept")
			_ = os.Symlink(outside+"/in/secret.qcow2", dir+"/in/secret.qcow2")
			_ = os.Remove(dir + "/in/secret.qcow2")
			_ = syscall.Mkfifo(dir+"/in/secret.qcow2", 0o600)
			_ = os.Remove(dir + "/in/secret.qcow2")
			_ = os.Rename(dir+"/in/kept", dir+"/in/secret.qcow2")
		}
	}()
	for range 300 {
		v, err := image.Scan(context.Background(), dir)
		require.NoError(t, err)
		for _, n := range v.Nodes { // the one outside has no backing file
			require.True(t, n.Format != "qcow2" || len(n.Needs) == 1, "%+v", n)
		}
	}
	close(stop)
	<-done
}
