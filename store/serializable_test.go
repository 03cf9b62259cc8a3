package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

// step is one thing that a transaction of a history does to the accounts, and what it saw.
type step struct {
	do        string
	id, login string
	saw       string
}

// program is a transaction of a history. Its last run counts.
type program struct {
	steps   []step
	fails   bool // its function returns an error of its own
	swallow bool // it goes on after an error of the store
	result  string
}

var errOwn = errors.New("the function's own")

func randomProgram(rng *rand.Rand) *program {
	p := &program{fails: rng.IntN(4) == 0, swallow: rng.IntN(2) == 0}
	for range 1 + rng.IntN(4) {
		p.steps = append(p.steps, step{
			do: []string{"get", "put", "put", "insert", "insert", "delete", "find", "list", "back", "role", "count", "page", "total", "total", "total"}[rng.IntN(15)],
			id: string("abc"[rng.IntN(3)]), login: string("xyz"[rng.IntN(3)]),
		})
	}
	return p
}

func (p *program) run(tx *store.Tx) error {
	s := tx.Sub(acme)
	for i := range p.steps {
		saw, err := p.steps[i].run(s)
		if p.steps[i].saw = saw; err != nil {
			p.steps[i].saw = "error"
		}
		if err != nil && !p.swallow {
			return err
		}
	}
	if p.fails {
		return errOwn
	}
	return nil
}

func unless(err, sentinel error, text string) (string, error) {
	if errors.Is(err, sentinel) {
		return text, nil
	}
	return "ok", err
}

func (p *step) run(s *store.Sub) (saw string, err error) {
	list := func(q store.Query) (string, error) {
		var all []string
		for a, err := range accounts.List(s, q) {
			if err != nil {
				return "", err
			}
			all = append(all, a.ID+a.Login)
		}
		return strings.Join(all, " "), nil
	}
	a := &account{ID: p.id, Login: p.login, Role: p.login}
	switch p.do {
	case "get":
		have, err := accounts.Get(s, store.Text(p.id))
		if err == nil {
			return have.ID + have.Login, nil
		}
		return unless(err, opsec.ErrNotFound, "none")
	case "put":
		return unless(accounts.Put(s, a), store.ErrExists, "exists")
	case "insert":
		return unless(accounts.Insert(s, a), store.ErrExists, "exists")
	case "delete":
		return "ok", accounts.Delete(s, store.Text(p.id))
	case "find":
		have, err := accounts.Find(s, "login", store.Text(p.login))
		if err == nil {
			return have.ID + have.Login, nil
		}
		return unless(err, opsec.ErrNotFound, "none")
	case "list":
		return list(store.Query{})
	case "back":
		return list(store.Query{Reverse: true, From: store.Text("b")})
	case "role":
		return list(store.Query{Index: "role", Prefix: store.Text(p.login)})
	case "count":
		n, err := accounts.Count(s, store.Query{})
		return fmt.Sprint(n), err
	case "page":
		page, next, err := accounts.Page(s, store.Query{}, "", 1)
		if err != nil {
			return "", err
		}
		text := fmt.Sprint(next != "")
		for _, a := range page {
			text += a.ID + a.Login
		}
		return text, nil
	default:
		n, err := add(s, "total", 1)
		return fmt.Sprint(n), err
	}
}

// replay is what run would see and leave in a state: logins by id, and the total under "".
func (p *step) replay(state map[string]string) (sees string) {
	taken := func() bool {
		for id, login := range state {
			if id != "" && id != p.id && login == p.login {
				return true
			}
		}
		return false
	}
	list := func(which func(id string) bool) []string {
		var all []string
		for _, id := range slices.Sorted(maps.Keys(state)) {
			if id != "" && which(id) {
				all = append(all, id+state[id])
			}
		}
		return all
	}
	every := func(string) bool { return true }
	switch p.do {
	case "get":
		if login, ok := state[p.id]; ok {
			return p.id + login
		}
		return "none"
	case "put", "insert":
		if _, there := state[p.id]; taken() || there && p.do == "insert" {
			return "exists"
		}
		state[p.id] = p.login
		return "ok"
	case "delete":
		delete(state, p.id)
		return "ok"
	case "find":
		if all := list(func(id string) bool { return state[id] == p.login }); len(all) > 0 {
			return all[0]
		}
		return "none"
	case "list":
		return strings.Join(list(every), " ")
	case "back":
		all := list(func(id string) bool { return id >= "b" })
		slices.Reverse(all)
		return strings.Join(all, " ")
	case "role":
		return strings.Join(list(func(id string) bool { return state[id] == p.login }), " ")
	case "count":
		return fmt.Sprint(len(list(every)))
	case "page":
		all := list(every)
		return fmt.Sprint(len(all) > 1) + strings.Join(all[:min(1, len(all))], "")
	default:
		n := len(state[""])
		state[""] += "+"
		return fmt.Sprint(n)
	}
}

var programs = porcupine.NondeterministicModel{
	Init: func() []any { return []any{map[string]string{}} },
	Step: func(state, in, _ any) []any {
		before, p := state.(map[string]string), in.(*program)
		after, fits := maps.Clone(before), true
		for i := range p.steps {
			fits = fits && (p.steps[i].saw == "error" || p.steps[i].replay(after) == p.steps[i].saw)
		}
		switch {
		case p.result == "nothing":
			return []any{before}
		case p.result == "unknown" && fits:
			return []any{before, after}
		case p.result == "unknown":
			return []any{before}
		case !fits:
			return nil
		case p.result == "own":
			return []any{before}
		}
		return []any{after}
	},
	Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
}

// What transactions see and leave, those that meet and share commits included, is what it would be one after another; an
// error of their own too is of a moment that was.
func TestTransactionsThatMeetAreSerializable(t *testing.T) {
	const callers, each = 8, 6
	chances := map[storetest.Fault]float64{
		storetest.Slow: 0.3, storetest.Conflict: 0.05, storetest.LostRequest: 0.05, storetest.LostAnswer: 0.05, storetest.Ghost: 0.05, storetest.Fail: 0.02,
	}
	for seed := range uint64(12) {
		for _, certain := range []bool{true, false} {
			t.Run(fmt.Sprint(seed, certain), func(t *testing.T) {
				inner := memory.New()
				o := storetest.FlakyOptions{Seed: seed, Commit: chances, Read: map[storetest.Fault]float64{storetest.Slow: 0.3, storetest.Fail: 0.005}}
				if certain {
					o.Commit = map[storetest.Fault]float64{storetest.Slow: 0.5, storetest.Conflict: 0.1, storetest.Fail: 0.1}
				}
				db := newDB(t, &counting{Driver: storetest.NewFlaky(inner, o), certain: certain}, nil)
				var mu sync.Mutex
				var history []porcupine.Operation
				var wait sync.WaitGroup
				began := time.Now()
				for c := range callers {
					rng := rand.New(rand.NewPCG(seed, uint64(c)))
					wait.Go(func() {
						for range each {
							p := randomProgram(rng)
							ctx, cancel := t.Context(), context.CancelFunc(func() {})
							if rng.IntN(6) == 0 {
								ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(4000))*time.Microsecond)
							}
							call := time.Since(began)
							err := db.Update(ctx, p.run)
							back := time.Since(began)
							cancel()
							switch {
							case err == nil:
								p.result = "done"
							case err == errOwn:
								p.result = "own"
							case errors.Is(err, store.ErrIndeterminate):
								p.result = "unknown"
							default:
								p.result = "nothing"
								if !errors.Is(err, storetest.ErrFault) && !errors.Is(err, context.DeadlineExceeded) {
									t.Error(err)
								}
							}
							op := porcupine.Operation{ClientId: c, Input: p, Call: int64(call), Return: int64(back)}
							mu.Lock()
							history = append(history, op)
							mu.Unlock()
						}
					})
				}
				wait.Wait()
				calm := newDB(t, inner, nil)
				last := &program{steps: []step{{do: "list"}, {do: "total"}, {do: "page"}}}
				call := time.Since(began)
				require.NoError(t, calm.Update(t.Context(), last.run))
				history = append(history, porcupine.Operation{ClientId: callers, Input: last, Call: int64(call), Return: int64(time.Since(began))})
				require.Empty(t, problems(t, calm, nil, accounts, counters))
				require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(programs.ToModel(), history, time.Minute))
			})
		}
	}
}
