package tally

import (
	"cmp"
	"errors"
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// Tally turns the events of a log into the sign-ins and the uses of an audit. It is for one goroutine.
type Tally struct {
	o       Options
	signIns Sorted[accounts.SignIn]
	uses    Sorted[accounts.Use]
	w       writer
}

// New returns a Tally without events. Close it.
func New(o Options) *Tally {
	if o.Map == nil {
		o.Map = Usual
	}
	return &Tally{o: o, signIns: Sorted[accounts.SignIn]{o.sorter()}, uses: Sorted[accounts.Use]{o.sorter()}}
}

// Usual is how Tally reads an event by itself: the account is the actor's, written as [accounts.ParseAccount] reads it, in
// the actor's tenant, or else the event's; the permission is the action. An event without account is left out.
func Usual(e *opsec.Event) (key accounts.Key, permission string, ok bool) {
	return accounts.ParseAccount(cmp.Or(e.Actor.Tenant, e.Tenant), e.Actor.Account), e.Action, e.Actor.Account != ""
}

// Add takes a valid event, each once; ref is where it is recorded. One of the category [opsec.Authentication] is a sign-in,
// or with Began a log-out. Any other is a use: a refusal when its outcome is [opsec.Denied], nothing when it is
// [opsec.Pending], for the event of its end comes as well. An error is one of temporary files.
func (t *Tally) Add(e *opsec.Event, ref string) error {
	key, permission, ok := t.o.Map(e)
	if !ok {
		return nil
	}
	var err error
	switch {
	case e.Category == opsec.Authentication:
		err = add(&t.signIns, &t.w, &accounts.SignIn{
			Key: key, Time: e.Time, Outcome: e.Outcome, Logout: !e.Began.IsZero(), Began: e.Began,
			Session: e.Actor.Session, IP: e.Actor.IP, Terminal: e.Actor.Terminal, Ref: ref,
		})
	case e.Outcome == opsec.Pending:
	case permission == "":
		return fmt.Errorf("tally: Options.Map: no permission for an event of action %q: %w", e.Action, opsec.ErrInvalid)
	case e.Outcome == opsec.Denied:
		err = add(&t.uses, &t.w, &accounts.Use{Key: key, Permission: permission, Denied: 1, Ref: ref})
	default:
		err = add(&t.uses, &t.w, &accounts.Use{Key: key, Permission: permission, Count: 1, Last: e.Time, Ref: ref})
	}
	if err != nil {
		return fmt.Errorf("tally: %w", err)
	}
	return nil
}

func add[T Row](s *Sorted[T], w *writer, row *T) error {
	*w = (*w)[:0]
	write(w, row)
	return s.s.Add([]byte(order(row).Encode()), *w)
}

// SignIns yields the sign-ins and log-outs in order.
func (t *Tally) SignIns() iter.Seq2[accounts.SignIn, error] { return t.signIns.Rows() }

// Uses yields one row for each account and permission, with the reference of its last use, or of its last refusal where
// there was no use.
func (t *Tally) Uses() iter.Seq2[accounts.Use, error] {
	return func(yield func(accounts.Use, error) bool) {
		var sum accounts.Use
		for u, err := range t.uses.Rows() {
			if err != nil {
				yield(accounts.Use{}, err)
				return
			}
			if u.Key != sum.Key || u.Permission != sum.Permission {
				if sum.Permission != "" && !yield(sum, nil) {
					return
				}
				sum = u
				continue
			}
			if u.Last.After(sum.Last) || u.Last.IsZero() && sum.Last.IsZero() {
				sum.Last, sum.Ref = u.Last, u.Ref
			}
			sum.Count += u.Count
			sum.Denied += u.Denied
		}
		if sum.Permission != "" {
			yield(sum, nil)
		}
	}
}

// Close removes the temporary files.
func (t *Tally) Close() error { return errors.Join(t.signIns.Close(), t.uses.Close()) }
