package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/store"
)

// Row is an account to import. It becomes a main account.
type Row struct {
	ID string `json:"id"` // of the row in its source, 1 to 128 bytes: rows with one id are one account of a tenant, whenever they come
	Registration
}

// Refusal says why a row was not imported.
type Refusal struct {
	Row string // its id
	Err error
}

// Imported is what an import has done.
type Imported struct {
	New     int64 // accounts
	Known   int64 // rows that were in already
	Refused int64
}

const (
	maxRowID      = 128
	importBatch   = 10 // rows of a transaction; a row takes up to nine of its 99 keys
	importWorkers = 8
)

// ProposeImport asks for approval of an import, of exactly these rows in this order: the request is open for
// [Directory.Decide], by the policy's rule for registrations. It reads the rows once, and keeps none.
func (d *Directory) ProposeImport(ctx context.Context, by By, tenant opsec.TenantID, rows iter.Seq2[Row, error]) (r Request, err error) {
	digest, n, err := digestRows(ctx, rows)
	if err != nil {
		return r, err
	}
	err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(w *work) (err error) {
		r, err = w.ask(Order{Verb: importing, Rows: n, Digest: digest}, nil, w.policy.Register)
		return err
	})
	return r, err
}

func digestRows(ctx context.Context, rows iter.Seq2[Row, error]) (string, int64, error) {
	h, n := sha256.New(), int64(0)
	enc := json.NewEncoder(h) // a line each
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = enc.Encode(row)
		}
		if err != nil {
			return "", 0, err
		}
		n++
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// Import carries out an approved import. The rows are read twice: first, to see that they are those that were approved
// ([approval.ErrOtherAction]), and then to register and activate an account each. A row that is refused is told to report, which
// may be nil, and the others go on. An import that was interrupted is called again with the same request and rows: what is in
// stays as it is now. Memory does not grow with the number of rows. Report is not called at the same time twice.
func (d *Directory) Import(ctx context.Context, by By, tenant opsec.TenantID, request opsec.ID, rows iter.Seq2[Row, error], report func(Refusal)) (out Imported, err error) {
	digest, n, err := digestRows(ctx, rows)
	if err != nil {
		return out, err
	}
	others, err := d.sides(ctx, tenant, request)
	if err != nil {
		return out, err
	}
	err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(w *work) error {
		r, err := w.request(w.sub, request)
		if err != nil {
			return err
		}
		if r.Order.Verb != importing || r.Order.Digest != digest || r.Order.Rows != n {
			return approval.ErrOtherAction
		}
		standing, err := r.Case.At(w.now)
		if err != nil {
			return err
		}
		if standing.Status == approval.Used {
			return nil // it goes on
		}
		if err := w.spend(r); err != nil {
			return err
		}
		r.Ended = true
		return w.requests.Put(w.sub, r)
	}, others...)
	if err != nil {
		return out, err
	}
	return d.importRows(ctx, by, tenant, request, rows, report)
}

func (d *Directory) importRows(ctx context.Context, by By, tenant opsec.TenantID, request opsec.ID, rows iter.Seq2[Row, error], report func(Refusal)) (out Imported, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var added, known, refused atomic.Int64
	var one sync.Mutex
	refuse := func(row Row, err error) {
		refused.Add(1)
		if report != nil {
			one.Lock()
			defer one.Unlock()
			report(Refusal{row.ID, err})
		}
	}
	work, all := make(chan []Row), sync.WaitGroup{}
	for range importWorkers {
		all.Go(func() {
			for batch := range work {
				if ctx.Err() != nil {
					continue
				}
				n, again, err := d.importBatch(ctx, by, tenant, request, batch)
				if err == nil {
					added.Add(n)
					known.Add(again)
					continue
				}
				for _, row := range batch { // each by itself, to see which it is
					n, again, err := d.importBatch(ctx, by, tenant, request, []Row{row})
					added.Add(n)
					known.Add(again)
					switch {
					case err == nil:
					case errors.Is(err, opsec.ErrInvalid) || errors.Is(err, store.ErrTooLarge):
						refuse(row, err)
					default:
						stop(err)
					}
				}
			}
		})
	}
	batch := make([]Row, 0, importBatch)
	for row, rowErr := range rows {
		if rowErr != nil || ctx.Err() != nil {
			stop(rowErr)
			break
		}
		if batch = append(batch, row); len(batch) == importBatch {
			work <- batch
			batch = make([]Row, 0, importBatch)
		}
	}
	work <- batch
	close(work)
	all.Wait()
	return Imported{added.Load(), known.Load(), refused.Load()}, context.Cause(ctx)
}

// importBatch imports some rows, all or none.
func (d *Directory) importBatch(ctx context.Context, by By, tenant opsec.TenantID, request opsec.ID, rows []Row) (added, known int64, err error) {
	err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(w *work) error {
		added, known = 0, 0
		keys := make([]store.Key, len(rows))
		for i, row := range rows {
			if row.ID == "" || !text(row.ID, maxRowID) {
				return invalid("row: id: want 1 to %d bytes", maxRowID)
			}
			keys[i] = store.Text(string(rowAccount(tenant, row.ID)))
		}
		have, err := w.families.GetAll(w.sub, keys...)
		if err != nil {
			return err
		}
		for i, row := range rows {
			if have[i] != nil {
				known++
				continue
			}
			if row.Main != "" {
				return invalid("row: main: main accounts alone")
			}
			id := rowAccount(tenant, row.ID)
			if _, _, err := w.enrol(row.Registration, id, Step{Verb: Approve, Account: id, Request: request}); err != nil {
				return err
			}
			added++
		}
		return nil
	})
	if err != nil {
		added, known = 0, 0
	}
	return added, known, err
}

func rowAccount(tenant opsec.TenantID, row string) opsec.ID {
	return derived("row", string(tenant), row)
}

// String names the row, quoted, and the reason.
func (r Refusal) String() string { return fmt.Sprintf("%q: %v", r.Row, r.Err) }
