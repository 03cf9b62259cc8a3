package recovery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// Manifest is a [Check] that what has been restored is what a signed manifest says: package backup.
type Manifest struct {
	Name    string // for the result
	Open    func(ctx context.Context) (*backup.Manifest, error)
	Believe trust.Verifier
}

// About implements [Check].
func (c Manifest) About() (kind, name string) { return "manifest", c.Name }

// Check implements [Check]. It passes when all contents are as they were signed, nothing is missing or extra, and the signature counts.
func (c Manifest) Check(ctx context.Context, path string) (detail string, err error) {
	m, err := c.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	tree, err := backup.OpenDir(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	report, err := backup.Verify(ctx, m, c.Believe, tree, backup.Budget{})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		return "", err
	}
	if !report.OK {
		err = errors.New(report.Status)
	}
	return text.String(), err
}

// Query is a [Check] that asks a database on what has been restored, and compares the answer.
type Query struct {
	Name string
	// Open starts or opens the database on the files below a path, with a function that stops it again.
	Open func(ctx context.Context, path string) (db *sql.DB, stop func() error, err error)
	Text string // of one column; of its rows the first is looked at
	Want string // what it must be, as text; NULL is ""
}

// About implements [Check].
func (c Query) About() (kind, name string) { return "query", c.Name }

// Check implements [Check].
func (c Query) Check(ctx context.Context, path string) (detail string, err error) {
	db, stop, err := c.Open(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		if stop != nil {
			err = errors.Join(err, stop())
		}
	}()
	var got sql.NullString
	if err := db.QueryRowContext(ctx, c.Text).Scan(&got); err != nil {
		return "", err
	}
	if got.String != c.Want {
		return got.String, fmt.Errorf("the answer is %q, want %q", cut(got.String), c.Want)
	}
	return got.String, nil
}
