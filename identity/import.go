package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"slices"
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
	sums, n, err := digest(ctx, rows)
	if err != nil {
		return r, err
	}
	err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(w *work) (err error) {
		r, err = w.ask(Order{Verb: importing, Rows: n, Digest: last(sums)}, nil, w.policy.Register)
		return err
	})
	return r, err
}

type sum = [sha256.Size]byte

// batch is some rows, with the digest of all rows up to its end.
type batch struct {
	rows []Row
	sum  sum
}

// batches yields the rows; the last batch alone has fewer than importBatch, perhaps none.
func batches(rows iter.Seq2[Row, error]) iter.Seq2[batch, error] {
	return stream(func(yield func(batch) bool) error {
		h, b := sha256.New(), batch{}
		enc := json.NewEncoder(h) // a line each
		for row, err := range rows {
			if err == nil {
				err = enc.Encode(row)
			}
			if err != nil {
				return err
			}
			if b.rows = append(b.rows, row); len(b.rows) == importBatch {
				if b.sum = sum(h.Sum(nil)); !yield(b) {
					return nil
				}
				b = batch{}
			}
		}
		b.sum = sum(h.Sum(nil))
		yield(b)
		return nil
	})
}

// digest returns the sums of all batches, and how many rows there are.
func digest(ctx context.Context, rows iter.Seq2[Row, error]) (sums []sum, n int64, err error) {
	for b, err := range batches(rows) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, 0, err
		}
		sums, n = append(sums, b.sum), n+int64(len(b.rows))
	}
	return sums, n, nil
}

func last(sums []sum) string { return hex.EncodeToString(sums[len(sums)-1][:]) }

// Import carries out an approved import. The rows are read twice: first, to see that they are those that were approved
// ([approval.ErrOtherAction]), and then to register and activate an account each, as long as they are still the same. A row that
// is refused is told to report, which may be nil, and the others go on; so is one for a person who has approved the import. An
// import that was interrupted is called again with the same request and rows, as long after as the policy's approvals are valid:
// what is in stays as it is now. Memory grows by 32 bytes for ten rows. Report is not called at the same time twice.
func (d *Directory) Import(ctx context.Context, by By, tenant opsec.TenantID, request opsec.ID, rows iter.Seq2[Row, error], report func(Refusal)) (out Imported, err error) {
	sums, n, err := digest(ctx, rows)
	if err != nil {
		return out, err
	}
	others, err := d.sides(ctx, tenant, request)
	if err != nil {
		return out, err
	}
	var r *Request
	err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(w *work) (err error) {
		if r, err = w.request(w.sub, request); err != nil {
			return err
		}
		if r.Order.Verb != importing || r.Order.Digest != last(sums) || r.Order.Rows != n {
			return approval.ErrOtherAction
		}
		standing, err := r.Case.At(w.now)
		if err != nil {
			return err
		}
		if standing.Status == approval.Used { // it goes on
			if used := r.Case.History[len(r.Case.History)-1].Time; !w.now.Before(used.Add(r.Case.Request.Policy.Valid)) {
				return approval.StatusError{Status: approval.Expired}
			}
			return nil
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
	if out, err = d.importRows(ctx, by, r, sums, rows, report); errors.Is(err, approval.ErrOtherAction) {
		err = d.do(ctx, by, ActionImport, resource(tenant, ""), func(*work) error { return err }) // on record
	}
	return out, err
}

func (d *Directory) importRows(ctx context.Context, by By, r *Request, sums []sum, rows iter.Seq2[Row, error], report func(Refusal)) (out Imported, err error) {
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
			for some := range work {
				if ctx.Err() != nil {
					continue
				}
				n, again, err := d.importBatch(ctx, by, r, some)
				if err == nil {
					added.Add(n)
					known.Add(again)
					continue
				}
				for _, row := range some { // each by itself, to see which it is
					n, again, err := d.importBatch(ctx, by, r, []Row{row})
					added.Add(n)
					known.Add(again)
					switch {
					case err == nil:
					case errors.Is(err, opsec.ErrInvalid) || errors.Is(err, store.ErrTooLarge) || errors.Is(err, approval.ErrSamePerson):
						refuse(row, err)
					default:
						stop(err)
					}
				}
			}
		})
	}
	i := 0
	for b, err := range batches(rows) {
		if err == nil && b.sum != sums[i] {
			err = approval.ErrOtherAction
		}
		if err != nil || ctx.Err() != nil {
			stop(err)
			break
		}
		work <- b.rows
		i++
	}
	close(work)
	all.Wait()
	return Imported{added.Load(), known.Load(), refused.Load()}, context.Cause(ctx)
}

// importBatch imports some rows, all or none.
func (d *Directory) importBatch(ctx context.Context, by By, r *Request, rows []Row) (added, known int64, err error) {
	err = d.do(ctx, by, ActionImport, resource(r.Tenant, ""), func(w *work) error {
		added, known = 0, 0
		keys := make([]store.Key, len(rows))
		for i, row := range rows {
			if row.ID == "" || !text(row.ID, maxRowID) {
				return invalid("row: id: want 1 to %d bytes", maxRowID)
			}
			keys[i] = store.Text(string(rowAccount(r.Tenant, row.ID)))
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
			if slices.ContainsFunc(r.Case.History, func(s approval.Step) bool { return s.Verb == approval.Approve && s.By.Person == row.Person }) {
				return approval.ErrSamePerson
			}
			id := rowAccount(r.Tenant, row.ID)
			if _, _, err := w.enrol(row.Registration, id, Step{Verb: Approve, Account: id, Request: r.ID}); err != nil {
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
