// Package recovery tests a backup of a real database: dumped by PostgreSQL's own program, encrypted by Tink, restored, started and asked.
package recovery

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/recovery"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

type trail struct{ events []opsec.Event }

func (r *trail) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, e.Validate()
}

// keys gives out Tink's primitive: it is a recovery.Decrypter as it stands.
type keys struct{ primitive tink.StreamingAEAD }

func (k keys) Key(context.Context, recovery.Point) (recovery.Decrypter, error) {
	return k.primitive, nil
}

func database(t *testing.T, s *pgtest.Server) *sql.DB {
	db, err := sql.Open("postgres", s.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// commands are those of psql, which a server does not know.
var commands = regexp.MustCompile(`(?m)^\\.*$`)

func TestADatabaseComesBackOutOfAnEncryptedBackup(t *testing.T) {
	origin := pgtest.Start(t, nil)
	db := database(t, origin)
	_, err := db.Exec("create table orders (id int primary key, what text); insert into orders select n, 'gin ' || n from generate_series(1, 4711) n")
	require.NoError(t, err)
	dump := origin.Exec(t, "pg_dump", "--inserts", "--rows-per-insert=1000")

	handle, err := keyset.NewHandle(streamingaead.AES256GCMHKDF4KBKeyTemplate())
	require.NoError(t, err)
	primitive, err := streamingaead.New(handle)
	require.NoError(t, err)
	point := recovery.Point{Tenant: "acme", Source: "orders", ID: "2026-03-01", Key: &recovery.KeyRef{Name: "backups", Version: 3}}
	var stored bytes.Buffer
	w, err := primitive.NewEncryptingWriter(&stored, []byte(point.ID))
	require.NoError(t, err)
	archive := tar.NewWriter(w)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "dump.sql", Mode: 0o600, Size: int64(len(dump))}))
	_, err = archive.Write(dump)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, w.Close())

	test := func(content []byte, want string) recovery.Result {
		r, err := recovery.Run(context.Background(), point, recovery.Test{
			Target: recovery.In(t.TempDir()), Keys: keys{primitive},
			Restore: recovery.Archive{
				Open: func(context.Context, recovery.Point) (io.ReadCloser, error) {
					return io.NopCloser(bytes.NewReader(content)), nil
				},
				Context: func(p recovery.Point) []byte { return []byte(p.ID) },
			},
			Checks: []recovery.Check{recovery.Query{
				Name: "orders", Text: "select count(*) || ' ' || max(what) filter (where id = 4711) from orders", Want: want,
				Open: func(ctx context.Context, path string) (*sql.DB, func() error, error) {
					sum, err := os.ReadFile(filepath.Join(path, "dump.sql"))
					if err != nil {
						return nil, nil, err
					}
					fresh := pgtest.Start(t, nil)
					db, err := sql.Open("postgres", fresh.DSN())
					if err == nil {
						_, err = db.ExecContext(ctx, string(commands.ReplaceAll(sum, nil))+"; set search_path = public")
					}
					return db, func() error { fresh.Down(t); return nil }, err
				},
			}},
		}, &recovery.Options{Recorder: new(trail), Actor: opsec.Actor{Tenant: "acme", Account: "tester", Kind: opsec.Service}})
		require.NoError(t, err)
		require.True(t, r.Cleaned)
		return r
	}
	good := test(stored.Bytes(), "4711 gin 4711")
	require.True(t, good.Passed, good.Failure)
	require.Equal(t, "4711 gin 4711", good.Checks[0].Detail)
	other := test(stored.Bytes(), "4712 gin 4711")
	require.Equal(t, `verify: query "orders": the answer is "4711 gin 4711", want "4712 gin 4711"`, other.Failure)

	for _, at := range []int{100, stored.Len() / 2, stored.Len() - 1} {
		changed := bytes.Clone(stored.Bytes())
		changed[at] ^= 1
		r := test(changed, "")
		require.False(t, r.Passed)
		require.Contains(t, r.Failure, "restore: ", "byte %d", at)
	}
	cut := test(stored.Bytes()[:stored.Len()-4096], "")
	require.Contains(t, cut.Failure, "restore: ")
}
