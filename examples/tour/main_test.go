package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

// TestMain lets the test binary be the program, so that what go test has cached is of this program and no older one, and
// the race detector watches it.
func TestMain(m *testing.M) {
	if os.Getenv("TOUR_TEST") == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the program with arguments.
func command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "TOUR_TEST=be the program", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// tree makes a small directory to work on.
func tree(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "first\n", "sub/big.bin": strings.Repeat("0123456789", 20_000), "sub/read-only": "x"} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "sub", "read-only"), 0o444))
	return dir
}

// walk takes the tour, with a directory for temporary files of its own, which it leaves empty.
func walk(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	temp := t.TempDir()
	cmd := command(t.Context(), t, args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+temp, "TMP="+temp)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the tour cleans up after itself")
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}

func TestTourFindsTheBitThatItFlipped(t *testing.T) {
	dir := tree(t)
	code, stdout, stderr := walk(t, "-dir", dir, "-json")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	var result struct {
		Backup backup.Report
		Store  struct {
			Records              int
			Problems, RolledBack []string
		}
		Change map[string]string
		Audit  struct {
			Export   struct{ First, Events int }
			Erased   []string
			Withheld string
			Damaged  verify.Report
		}
		Accounts accounts.Summary
		Logins   struct {
			Names, Looked int
			Soon          bool
			Late          string
		}
		Keys struct {
			File, Refused, Gone, Forged string
			Opens, Receipt              bool
		}
		Programme struct {
			Clearance  independence.Clearance
			Population sample.Commitment
			Drawn      []int
			Early      string
			Same       bool
		}
		Events []opsec.Event
	}
	dec := json.NewDecoder(strings.NewReader(stdout))
	require.NoError(t, dec.Decode(&result))
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF, "one document and nothing else")

	r := result.Backup
	require.Equal(t, backup.StatusDamaged, r.Status)
	require.False(t, r.OK)
	require.Equal(t, "ok", r.Trust, "the signature is good; the copy is not")
	require.Equal(t, []string{"sub/big.bin"}, r.Changed)
	require.EqualValues(t, 3, r.Checked)
	require.EqualValues(t, 1, r.Faults())
	require.Empty(t, r.Metadata, "the copy has the modes and times of the original")
	require.Len(t, r.Details, 1)
	require.Len(t, r.Details[0].Ranges, 1, "the bit is within one range of 64 KiB")

	var story []string
	for _, e := range result.Events {
		require.NotEmpty(t, e.Actor.Account)
		require.NotZero(t, e.Time)
		story = append(story, e.Action+" "+string(e.Outcome))
	}
	before := slices.IndexFunc(story, func(s string) bool { return strings.HasPrefix(s, "keymgmt.") })
	story, keys := story[:before], story[before:]
	before = slices.Index(keys, "backup.recovery_test pending")
	keys, recovered := keys[:before], keys[before:]
	require.Equal(t, []string{"backup.recovery_test pending", "backup.recovery_test failure", "backup.recovery_test pending", "backup.recovery_test success"}, recovered)
	before = slices.Index(story, "lockout.locked success")
	story, logins := story[:before], story[before:]
	require.Equal(t, []string{"lockout.locked success", "session.log-in success", "session.revoke-all success", "session.log-out success"}, logins)
	require.Equal(t, 10, result.Logins.Looked, "as many guesses as the policy allows")
	require.Positive(t, result.Logins.Names)
	require.True(t, result.Logins.Soon)
	require.Contains(t, result.Logins.Late, "revoked")
	require.Equal(t, []string{"keymgmt.create success", "keymgmt.join success", "keymgmt.rotate success", "keymgmt.rotate success",
		"keymgmt.count success", "keymgmt.schedule-destruction success", "keymgmt.cancel-destruction success",
		"keymgmt.count success", "keymgmt.schedule-destruction success", "keymgmt.destroy success", "keymgmt.receipt success"},
		slices.DeleteFunc(keys, func(s string) bool { return strings.HasSuffix(s, " denied") }))
	require.Equal(t, "sub/big.bin", result.Keys.File)
	require.Contains(t, result.Keys.Refused, "1 objects are left on it: denied")
	require.True(t, result.Keys.Opens)
	require.Contains(t, result.Keys.Gone, "destroyed")
	require.True(t, result.Keys.Receipt)
	require.Contains(t, result.Keys.Forged, erasure.ErrSignature.Error())
	require.Equal(t, []string{"backup.build success", "backup.verify success", "backup.verify failure",
		"inventory.hold success", "inventory.hold success", "approval.request success", "approval.approve denied",
		"approval.approve success", "approval.approve success", "approval.use denied", "approval.use success"}, story)
	require.Contains(t, result.Change["self"], approval.ErrSamePerson.Error())
	require.Contains(t, result.Change["other"], approval.ErrOtherAction.Error())
	require.Equal(t, "accepted", result.Change["used"])
	slot, err := time.Parse(time.RFC3339Nano, result.Change["slot"])
	require.NoError(t, err)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	hour := slot.In(berlin).Hour()
	require.True(t, hour >= 22 || hour <= 3, "two hours from %s are of the night", slot)
	require.Equal(t, 3, result.Store.Records)
	require.Empty(t, result.Store.Problems)
	require.Len(t, result.Store.RolledBack, 1)
	require.Contains(t, result.Store.RolledBack[0], "sub/big.bin")
	require.Contains(t, result.Store.RolledBack[0], "an old value was put back")

	require.Equal(t, 1, result.Audit.Export.First)
	require.Equal(t, len(story)+3, result.Audit.Export.Events, "the erasure, its end, and the export are on record too")
	require.Equal(t, []string{"approval.approve"}, result.Audit.Erased, "what ann did stays, who she was does not")
	require.Contains(t, result.Audit.Withheld, "incomplete")
	require.False(t, result.Audit.Damaged.OK)
	require.Positive(t, result.Audit.Damaged.Count)

	require.EqualValues(t, 1, result.Accounts.Findings[accounts.InventedAttempt])
	require.EqualValues(t, 5, result.Accounts.Attempts.Attempts)
	require.NotContains(t, stdout, "hunter2!", "what somebody typed is nowhere")
	require.NotEmpty(t, result.Accounts.NotTested)

	visitor := result.Events[0].Actor.Person
	require.ErrorIs(t, result.Programme.Clearance.Cleared(visitor), opsec.ErrDenied, "who made the backups does not audit them")
	require.NoError(t, result.Programme.Clearance.Cleared("ann"))
	require.Equal(t, 3, result.Programme.Population.Size)
	require.Equal(t, []int{0, 1, 2}, result.Programme.Drawn, "a tenth of three is one, and only all three show it")
	require.Contains(t, result.Programme.Early, "not of after the freeze")
	require.False(t, result.Programme.Same)

	text, err := os.ReadFile(filepath.Join(dir, "sub", "big.bin"))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("0123456789", 20_000), string(text), "the original is not touched")
}

func TestTourTellsItsStory(t *testing.T) {
	code, stdout, stderr := walk(t, "-dir", tree(t))
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	for _, want := range []string{"1. Backup", "X.1642", "3 files", "the copy: ok, signature ok", "flipped: damaged", "found in sub/big.bin", "backup.build", "backup.verify",
		"2. The store", "3 records in a sealed file", "the backup in its place, beside the trail: 1 problems",
		"3. A change", "v2 accepted", "4. The record", "[approval.approve] by [erased]", "after event 2 comes event 4", "findings, journal: journal/0",
		"5. Accounts", "tried 5 names of accounts that do not exist", "6. Log-ins", "10 were looked at", "7. Keys", "an old copy of it: keymgmt: key", "passed false verify: manifest", "passed true", "4.23 points lost", "22 stay", "10. Service levels", "88.333 to 96.666 % available", "11. An audit", "may ann? yes", "not of after the freeze", "Done in"} {
		require.Contains(t, stdout, want)
	}
}

func TestTourOfNothing(t *testing.T) {
	code, stdout, stderr := walk(t, "-dir", filepath.Join(t.TempDir(), "absent"), "-json")
	require.Equal(t, 2, code)
	require.Empty(t, stdout, "half a result is none")
	require.Contains(t, stderr, "absent")

	code, stdout, stderr = walk(t, "-dir", t.TempDir(), "-json") // nothing to damage
	require.Zero(t, code, stderr)
	var result struct{ Backup backup.Report }
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.True(t, result.Backup.OK)

	code, _, stderr = walk(t, "-no-such-flag")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "-dir")
}
