package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

func TestTheYearEndsWithEvidence(t *testing.T) {
	src, dir := t.TempDir(), t.TempDir()
	secret := "the recipe is four parts gin"
	require.NoError(t, os.MkdirAll(filepath.Join(src, "a"), 0o755))
	for name, text := range map[string]string{"a/b.txt": secret, "a.txt": strings.Repeat(secret, 100_000), "empty": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(src, filepath.FromSlash(name)), []byte(text), 0o644))
	}
	p, err := openProvider(t.Context(), dir)
	require.NoError(t, err)
	var story []string
	require.NoError(t, p.year(t.Context(), src, func(format string, args ...any) {
		story = append(story, fmt.Sprintf(format, args...))
	}))
	for ref := range 3 {
		docs, err := p.ledger.Receipts(t.Context(), keymgmt.Ref{Set: acme, Key: uint32(ref + 1)})
		require.NoError(t, err)
		receipt, err := erasure.Verify(docs[0], p.trust)
		require.NoError(t, err)
		require.True(t, receipt.Complete())
		require.Equal(t, []string{keymgmt.Person(who("adil"))}, receipt.Destruction.Approvers)
		require.Equal(t, ref < 2, len(receipt.Left()) > 0, "keys 1 and 2 are in backups, key 3 is in none")
	}
	require.NoError(t, p.close())

	told := strings.Join(story, "\n")
	for _, want := range []string{
		"3 files of", "rotate needs the role administrator", "it is waiting for more shares: denied", "all 3 files open", "verifies: valid", "one bit of it changed: erasure: signature",
		"an old copy of a file, whose data key is under key 1: keymgmt: key acme/volumes/00000001 is destroyed", "copies left", "globex gets the volume",
	} {
		require.Contains(t, told, want)
	}

	certificate, err := os.ReadFile(filepath.Join(dir, "certificate.json"))
	require.NoError(t, err)
	shown, err := erasure.Verify(certificate, p.trust)
	require.NoError(t, err)
	require.Len(t, shown.Certificate.Keys, 3)

	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		require.False(t, bytes.Contains(content, []byte(secret)), name)
		return err
	}))

	var actions []string
	for e, err := range p.events() {
		require.NoError(t, err)
		require.NoError(t, e.Validate())
		actions = append(actions, e.Action+" "+string(e.Outcome))
	}
	for _, want := range []string{
		keymgmt.ActionCreate + " success", keymgmt.ActionRotate + " denied", keymgmt.ActionRotate + " success", keymgmt.ActionBackUp + " success",
		keymgmt.ActionRecover + " success", keymgmt.ActionDestroy + " success", "ceremony.recover success", "ceremony.renew success",
		erasure.ActionReceipt + " success", erasure.ActionCertify + " denied", erasure.ActionCertify + " success", erasure.ActionRelease + " success",
	} {
		require.Contains(t, actions, want)
	}
	require.Equal(t, 3, len(slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a != keymgmt.ActionDestroy+" success" })))
}

func TestJSONIsOneDocument(t *testing.T) {
	src := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(src, "file"), []byte("x"), 0o644))
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = out
	err = run(t.Context(), filepath.Join(t.TempDir(), "new"), src, true)
	os.Stdout = old
	require.NoError(t, err)
	require.NoError(t, out.Close())
	text, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	var told outcome
	require.NoError(t, json.Unmarshal(text, &told))
	require.NotEmpty(t, told.Story)
	require.NotEmpty(t, told.Events)
	require.NotEqual(t, opsec.ID(""), told.Events[0].ID)
}
