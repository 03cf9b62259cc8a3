package backup_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
)

func TestWhatFindPrintsIsVerified(t *testing.T) {
	for _, format := range []backup.CheckFormat{backup.B3Sum, backup.SHA256Sum} {
		need(t, string(format))
		files := map[string]string{"a": "1", "b/c d": "2", "new\nline": "3", `back\slash`: "4", "-dash": "5", "日本é": "6"}
		dir := tbWrite(t, files)
		text, err := run(t, dir, nil, "find", ".", "-type", "f", "-exec", string(format), "{}", "+")
		require.NoError(t, err)
		list := filepath.Join(t.TempDir(), "list")
		require.NoError(t, os.WriteFile(list, []byte(text), 0o600))
		r, err := backup.VerifyCheckFile(t.Context(), list, format, openDir(t, dir), backup.Budget{})
		require.NoError(t, err)
		require.Empty(t, found(t, r))
		require.EqualValues(t, len(files), r.Checked)
		require.NoError(t, os.Remove(filepath.Join(dir, "a")))
		require.NoError(t, os.Symlink("b/c d", filepath.Join(dir, "a")))
		put(t, dir, "b/c d", []byte("X"))
		r, err = backup.VerifyCheckFile(t.Context(), list, format, openDir(t, dir), backup.Budget{})
		require.NoError(t, err)
		require.Equal(t, map[string][]string{"changed": {"a", "b/c d"}}, found(t, r))
	}
}

func TestDamagedCheckFileNeverPasses(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "new\nline": "2", "z": "3"})
	m := open(t, build(t, tree, withBoth))
	for _, format := range []backup.CheckFormat{backup.B3Sum, backup.SHA256Sum} {
		var b bytes.Buffer
		require.NoError(t, m.WriteCheckFile(&b, format))
		for i := range b.Bytes() {
			for _, mask := range []byte{0x01, 0x20, 0x80} {
				bad := bytes.Clone(b.Bytes())
				bad[i] ^= mask
				files, err := backup.ParseCheckFile(bytes.NewReader(bad), format)
				if err != nil {
					require.ErrorIs(t, err, opsec.ErrInvalid)
					continue
				}
				r, err := backup.VerifySums(t.Context(), files, tree, backup.Budget{Workers: 1})
				require.True(t, err != nil || r.Faults() > 0, "%s: byte %d ^ %#x", format, i, mask)
			}
		}
	}
}

// tbEndless is a line without an end.
type tbEndless struct{ read int }

func (e *tbEndless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.read += len(p)
	return len(p), nil
}

func TestLineThatNeverEndsIsRefusedEarly(t *testing.T) {
	endless := &tbEndless{}
	_, err := backup.ParseCheckFile(endless, backup.B3Sum)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.LessOrEqual(t, endless.read, 1<<20)
}

func FuzzParseCheckFile(f *testing.F) {
	sum := strings.Repeat("0a", 32)
	for _, text := range []string{
		"", sum + "  a\n", sum + " *a/b\n", sum + "  ./a\n", `\` + sum + `  a\nb\\c\rd` + "\n", "BLAKE3 (a) = " + sum + "\n",
		"SHA256 (a) = " + sum + "\n", `\SHA256 (a\nb) = ` + sum + "\n", sum + "  a\n" + sum + "  a\n", sum + "  ../a\n", sum + "  /a\n", sum + "  a",
		strings.Repeat("0", 64) + "  a\n", sum + "  \xff\n", sum + "  a\r\n",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, b3 bool) {
		format := backup.SHA256Sum
		if b3 {
			format = backup.B3Sum
		}
		files, err := backup.ParseCheckFile(bytes.NewReader(text), format)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.NotEmpty(t, files)
		require.LessOrEqual(t, len(files), bytes.Count(text, []byte("\n")))
		var escaped strings.Builder
		for i, file := range files {
			require.True(t, i == 0 || files[i-1].Path < file.Path)
			require.True(t, filepath.IsLocal(file.Path), "%q", file.Path)
			require.EqualValues(t, -1, file.Size)
			sum := file.SHA256
			if b3 {
				sum = file.BLAKE3
			}
			name := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(file.Path)
			fmt.Fprintf(&escaped, "\\%s  %s\n", hex.EncodeToString(sum[:]), name)
		}
		again, err := backup.ParseCheckFile(strings.NewReader(escaped.String()), format)
		require.NoError(t, err)
		require.Equal(t, files, again)
		r, err := backup.VerifySums(context.Background(), files, fstest.MapFS{}, backup.Budget{Workers: 1})
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.EqualValues(t, len(files), r.Totals.Missing)
	})
}

func TestCheckFileThatIsADirectoryIsAnError(t *testing.T) {
	_, err := backup.VerifyCheckFile(t.Context(), t.TempDir(), backup.B3Sum, fstest.MapFS{}, backup.Budget{})
	require.Error(t, err)
	require.NotErrorIs(t, err, fs.ErrNotExist)
}

func ExampleParseCheckFile() {
	tree := fstest.MapFS{"hosts": {Data: []byte("127.0.0.1 localhost\n")}, "motd": {Data: []byte("Hello!\n")}}
	printed := fmt.Sprintf("%x  ./hosts\n%x  ./motd\n", blake3.Sum256([]byte("127.0.0.1 localhost\n")), blake3.Sum256([]byte("Hello\n")))

	files, err := backup.ParseCheckFile(strings.NewReader(printed), backup.B3Sum) // what "b3sum ./*" has printed
	if err != nil {
		panic(err)
	}
	report, err := backup.VerifySums(context.Background(), files, tree, backup.Budget{})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Status, report.Checked, report.Changed)
	// Output:
	// damaged 2 [motd]
}
