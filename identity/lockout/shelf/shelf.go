package shelf

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/store"
)

// Shelf is a [lockout.States] in a store.
type Shelf struct {
	db  *store.DB
	prf store.PRF
}

// Stored returns the repository in db. Made is what db was made with, whose PRF blinds the names of accounts. Several may share db.
func Stored(db *store.DB, made *store.Options) *Shelf {
	s := &Shelf{db: db}
	if made != nil {
		s.prf = made.PRF
	}
	return s
}

// row is a counter.
type row struct {
	ID    string        `json:"id"`
	State lockout.State `json:"state"`
	Until int64         `json:"until,omitempty"` // when it is forgotten, ms since 1970; 0 for never
}

var rows = store.NewCollection(store.Schema[row]{
	Name: "lockout/states",
	ID:   func(r *row) store.Key { return store.Text(r.ID) },
	Indexes: []store.Index[row]{{
		Name: "until",
		Keys: func(r *row) []store.Key {
			if r.Until == 0 {
				return nil
			}
			hour := time.UnixMilli(r.Until).Truncate(time.Hour).Add(time.Hour) // so that few failures move it
			return []store.Key{store.Key{}.Time(hour)}
		},
	}},
})

// id returns under which id a counter is kept.
func (s *Shelf) id(k lockout.Key) (string, error) {
	name := []byte(store.Text("lockout").Text(string(k.Tenant)).Text(k.Account).Text(string(k.Factor)).Text(string(k.Class)).Text(k.Device).Encode())
	if s.prf != nil {
		sum, err := s.prf.ComputePRF(name, 16)
		return base64.RawURLEncoding.EncodeToString(sum), err
	}
	sum := sha256.Sum256(name)
	return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
}

// Update implements [lockout.States].
func (s *Shelf) Update(ctx context.Context, key lockout.Key, change lockout.Change) (verdict lockout.Verdict, err error) {
	id, err := s.id(key)
	if err != nil {
		return lockout.Verdict{}, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(key.Tenant)
		found, err := rows.GetAll(sub, store.Text(id))
		if err != nil {
			return err
		}
		var old lockout.State
		if found[0] != nil {
			old = found[0].State
		}
		state, v := change.Apply(old)
		verdict = v
		if e := change.Record(key, v); e != nil {
			if err := tx.Emit(e); err != nil {
				return err
			}
		}
		switch state {
		case old:
			return nil
		case lockout.State{}:
			return rows.Delete(sub, store.Text(id))
		}
		return rows.Put(sub, &row{id, state, forgotten(state, change.Policy)})
	})
	if err != nil {
		return lockout.Verdict{}, err
	}
	return verdict, nil
}

// forgotten returns when nothing will be left of a state, whoever looks, in ms since 1970, or 0. What its reservations may yet make
// of it is tried.
func forgotten(s lockout.State, p *lockout.Policy) int64 {
	if p == nil || p.Forget <= 0 {
		return 0
	}
	at := max(s.Last, s.Until, s.Batch+2*p.Reserve.Milliseconds()) + (p.Forget + 2*p.Skew).Milliseconds() + 1
	if left, _ := p.Step(s, lockout.Event{Kind: lockout.Look}, time.UnixMilli(at)); left != (lockout.State{}) {
		return 0
	}
	return at
}

// Sweep deletes the counters of a tenant that are forgotten, one transaction each, and returns how many. Call it now and then for
// each of [store.DB.Tenants].
func (s *Shelf) Sweep(ctx context.Context, tenant opsec.TenantID, now time.Time) (int, error) {
	return rows.Sweep(ctx, s.db, tenant, store.Query{Index: "until", To: store.Key{}.Time(now.Add(1))}, nil)
}
