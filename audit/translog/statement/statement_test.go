package statement_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// exported returns what a log hands to a tenant with n events, and whom to believe about it.
func exported(t testing.TB, n int, form export.Form) ([]byte, checkpoint.Policy) {
	t.Helper()
	skey, vkey, err := checkpoint.GenerateKey("log.example/statement")
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	trust, err := checkpoint.ParsePolicy("log " + vkey + "\nquorum none\n")
	require.NoError(t, err)
	l, err := translog.Open(filepath.Join(t.TempDir(), "log"), translog.Policy{Trust: trust, CheckpointEvery: 10 * time.Millisecond},
		translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-ended)
	}()
	for i := range 2 * n {
		e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, i, 0, time.UTC))
		e.Tenant, e.Outcome = opsec.TenantID([]string{"acme", "globex"}[i%2]), opsec.Success
		e.Actor = opsec.Actor{Tenant: e.Tenant, Account: fmt.Sprintf("account-%d", i)}
		_, err := l.Append(ctx, e)
		require.NoError(t, err)
	}
	var file bytes.Buffer
	_, err = l.View(opsec.Actor{Tenant: "acme", Account: "ann"}, translog.TenantProfile()).Export(ctx, &file, "acme", form, export.Policy{})
	require.NoError(t, err)
	return file.Bytes(), trust
}

func TestNoByteOfAnExportMayChange(t *testing.T) {
	for _, form := range []export.Form{export.JSON, export.OCSF} {
		good, trust := exported(t, 8, form)
		want := events(t, good, trust)
		for range 3000 {
			bad := bytes.Clone(good)
			at := rand.IntN(len(bad))
			bad[at] ^= byte(1 + rand.IntN(255))
			got, err := readAll(bad, trust)
			if err == nil { // a space, or a letter's case in a name: it says the same
				require.Equal(t, want, got, "byte %d: %q", at, bad[max(0, at-20):min(len(bad), at+20)])
			}
		}
	}
}

func events(t testing.TB, file []byte, trust checkpoint.Policy) []string {
	t.Helper()
	list, err := readAll(file, trust)
	require.NoError(t, err)
	return list
}

func readAll(file []byte, trust checkpoint.Policy) (list []string, err error) {
	_, err = statement.Read(bytes.NewReader(file), statement.Options{Trust: trust, Each: func(e *opsec.Event) error {
		list = append(list, string(e.AppendJSON(nil)))
		return nil
	}})
	return list, err
}

func TestStatementOfAnotherLogIsNotBelieved(t *testing.T) {
	file, _ := exported(t, 3, export.JSON)
	_, other := exported(t, 3, export.JSON)
	_, err := readAll(file, other)
	require.ErrorIs(t, err, statement.ErrUnproven)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
}

func TestReaderStopsWhenAskedTo(t *testing.T) {
	file, trust := exported(t, 3, export.JSON)
	enough := errors.New("enough")
	_, err := statement.Read(bytes.NewReader(file), statement.Options{Trust: trust, Each: func(*opsec.Event) error { return enough }})
	require.ErrorIs(t, err, enough)
}

func TestWhatIsNoExportIsRefused(t *testing.T) {
	_, trust := exported(t, 1, export.JSON)
	for _, text := range []string{"", "\n", "{}\n", "[]\n", `{"translog_statement":null}` + "\n", strings.Repeat("x", export.MaxLine+10)} {
		_, err := readAll([]byte(text), trust)
		require.Error(t, err, "%.20q", text)
	}
}

func FuzzRead(f *testing.F) {
	good, trust := exported(f, 3, export.JSON)
	f.Add(good)
	syslog, _ := exported(f, 2, export.Syslog)
	f.Add(syslog)
	f.Add([]byte(`{"translog_statement":{}}` + "\n"))
	want := events(f, good, trust)
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := readAll(file, trust)
		if err == nil && len(got) == len(want) {
			require.Equal(t, want, got)
		}
	})
}
