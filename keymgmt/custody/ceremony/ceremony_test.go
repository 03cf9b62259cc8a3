package ceremony_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func TestEnoughCustodiansOpenOnce(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "eve", "ann")
	require.Equal(t, ceremony.Waiting, c.State().Status)
	h.denied(c, ceremony.ActionRecover, ceremony.StatusError{Status: ceremony.Waiting}, func() error {
		return c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("too early"); return nil })
	})
	h.submit(c, "cyd")
	require.Equal(t, ceremony.Ready, c.State().Status)
	require.Equal(t, []int{5, 1, 3}, c.State().Submitted())

	var kept []byte
	require.NoError(t, c.Recover(ctx, olga, func(_ context.Context, secret []byte) error {
		require.Equal(t, root, secret)
		require.Equal(t, ceremony.Running, c.State().Status)
		require.Len(t, h.log.Unclosed(), 1, "the intent is recorded before")
		kept = secret
		return nil
	}))
	require.Equal(t, make([]byte, len(root)), kept, "cleared afterwards")
	require.Equal(t, ceremony.Done, c.State().Status)
	require.True(t, c.State().Over())
	require.Empty(t, h.log.Unclosed())
	h.denied(c, ceremony.ActionRecover, ceremony.StatusError{Status: ceremony.Done}, func() error {
		return c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("twice"); return nil })
	})
	h.denied(c, ceremony.ActionSubmit, ceremony.StatusError{Status: ceremony.Done}, func() error {
		_, err := c.Submit(ctx, person("bob"), h.share(h.roster, "bob"))
		return err
	})
}

func TestOnePersonCountsOnceAndForTheirOwnShare(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	submit := func(by opsec.Actor, share shares.Share) func() error {
		return func() error {
			_, err := c.Submit(ctx, by, share)
			return err
		}
	}
	ann, bob := h.share(h.roster, "ann"), h.share(h.roster, "bob")
	h.submit(c, "ann")
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrSubmitted, submit(person("ann"), ann))
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrSubmitted, submit(sub("ann"), bob))
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrNotHolder, submit(person("bob"), ann))
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrNotHolder, submit(person("zoe"), bob))
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrNotHolder, submit(opsec.Actor{Tenant: opsec.Provider, Account: "x"}, bob))
	elsewhere := person("bob")
	elsewhere.Tenant = "acme"
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrNotHolder, submit(elsewhere, bob))
	require.Equal(t, []int{1}, c.State().Submitted())
	h.submit(c, "bob")
}

func TestWhoOpensHoldsNothing(t *testing.T) {
	h := newHall(t)
	c, err := ceremony.Open(ctx, sub("ann"), h.roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "r"}, h.o)
	require.NoError(t, err)
	h.denied(c, ceremony.ActionSubmit, ceremony.ErrOpener, func() error {
		_, err := c.Submit(ctx, person("ann"), h.share(h.roster, "ann"))
		return err
	})
	c, err = ceremony.Open(ctx, sub("ann"), h.roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "r", InsecureOpenerHolds: true}, h.o)
	require.NoError(t, err)
	h.submit(c, "ann")
}

func TestABadShareIsRefusedAndRecordedAndTheHolderTriesAgain(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	b := h.share(h.roster, "bob").Bytes()
	b[60] ^= 1
	forged, err := shares.ParseShare(b)
	require.NoError(t, err)
	for _, bad := range []shares.Share{forged, {}} {
		_, err = c.Submit(ctx, person("bob"), bad)
		var named *shares.BadShareError
		require.ErrorAs(t, err, &named)
	}
	events := h.log.Events(ceremony.ActionSubmit)
	require.Len(t, events, 2)
	require.Equal(t, opsec.Failure, events[0].Outcome)
	require.Empty(t, c.State().Submitted())
	h.submit(c, "bob", "ann", "dan")
	require.NoError(t, c.Recover(ctx, olga, func(_ context.Context, secret []byte) error {
		require.Equal(t, root, secret)
		return nil
	}))
}

func TestSharesServeTheirPurposeAlone(t *testing.T) {
	h := newHall(t)
	challenge := []byte("asked by auditor")
	for _, purpose := range []ceremony.Purpose{ceremony.Rehearse, ceremony.Renew, ceremony.Recover} {
		c := h.open(purpose)
		h.submit(c, "ann", "bob", "cyd")
		if purpose != ceremony.Recover {
			h.denied(c, ceremony.ActionRecover, ceremony.ErrPurpose, func() error {
				return c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("misused"); return nil })
			})
		}
		if purpose != ceremony.Rehearse {
			h.denied(c, ceremony.ActionRehearse, ceremony.ErrPurpose, func() error {
				_, err := c.Rehearse(ctx, olga, challenge)
				return err
			})
		}
		if purpose != ceremony.Renew {
			h.denied(c, ceremony.ActionRenew, ceremony.ErrPurpose, func() error {
				_, err := c.Renew(ctx, olga, h.plan(2, "ann", "bob"))
				return err
			})
		}
	}
}

func TestARehearsalIsProvedAndRecorded(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Rehearse)
	h.submit(c, "ann", "bob", "cyd", "dan", "eve")
	challenge := []byte("asked by auditor")
	proof, err := c.Rehearse(ctx, olga, challenge)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4, 5}, proof.Indexes)
	require.True(t, proof.Time.Equal(noon))
	require.NoError(t, h.roster.Set.VerifyProof(proof, challenge))
	require.Equal(t, ceremony.Done, c.State().Status)
	require.Len(t, h.log.Events(ceremony.ActionRehearse), 2, "an intent and its end")

	c = h.open(ceremony.Rehearse)
	h.submit(c, "ann", "bob", "cyd")
	for _, n := range []int{0, 15, 65} {
		_, err = c.Rehearse(ctx, olga, make([]byte, n))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.Equal(t, ceremony.Ready, c.State().Status, "a slip does not cost the custodians their time")
	_, err = c.Rehearse(ctx, olga, challenge)
	require.NoError(t, err)
}

func TestAPlanThatCannotBeIsRefusedBeforeTheSharesAreUsed(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Renew)
	h.submit(c, "ann", "bob", "cyd")
	for name, spoil := range map[string]func(*ceremony.Plan){
		"threshold": func(p *ceremony.Plan) { p.Threshold = 1 },
		"too few":   func(p *ceremony.Plan) { p.Threshold = 4 },
		"label":     func(p *ceremony.Plan) { p.Label = strings.Repeat("l", 257) },
		"recipient": func(p *ceremony.Plan) { p.Custodians[1].Recipient = nil },
		"twice":     func(p *ceremony.Plan) { p.Custodians[1].Person = "ann" },
		"person":    func(p *ceremony.Plan) { p.Custodians[1].Person = "" },
		"tenant":    func(p *ceremony.Plan) { p.Custodians[1].Tenant = "" },
	} {
		plan := h.plan(2, "ann", "fay", "gus")
		spoil(&plan)
		_, err := c.Renew(ctx, olga, plan)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		_, err = ceremony.Deal(ctx, olga, root, plan, h.o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	require.Equal(t, ceremony.Ready, c.State().Status)
	_, err := c.Renew(ctx, olga, h.plan(2, "ann", "fay", "gus"))
	require.NoError(t, err)
}

func TestRenewalDealsToOthersAndTheOldStillOpenTheOld(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Renew)
	h.submit(c, "ann", "bob", "cyd")
	plan := h.plan(2, "ann", "fay", "gus")
	plan.Label = ""
	next, err := c.Renew(ctx, olga, plan)
	require.NoError(t, err)
	require.Equal(t, h.roster.Set.ID, next.Set.Previous)
	require.Equal(t, "root", next.Set.Label)
	require.NoError(t, next.Validate())

	old := h.roster
	h.roster = next
	c = h.open(ceremony.Recover)
	_, err = c.Submit(ctx, person("ann"), h.share(old, "ann"))
	require.ErrorIs(t, err, opsec.ErrInvalid, "an old share")
	h.submit(c, "gus", "ann")
	require.NoError(t, c.Recover(ctx, olga, func(_ context.Context, secret []byte) error {
		require.Equal(t, root, secret)
		return nil
	}))
	end := h.log.Events(ceremony.ActionRenew)[1]
	require.Contains(t, end.Attrs, opsec.Attr{Key: "previous", Value: old.Set.ID.String(), Mark: opsec.Tenant})
	require.Contains(t, end.Attrs, opsec.Attr{Key: "holder", Value: "@provider/fay", Mark: opsec.Personal})

	other := h.plan(2, "ann", "bob")
	other.Tenant = "acme"
	c = h.open(ceremony.Renew)
	_, err = c.Renew(ctx, olga, other)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, ceremony.Waiting, c.State().Status)
}

func TestTimeRunsOut(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "ann", "bob", "cyd")
	h.now = noon.Add(time.Hour - 1)
	h.submit(c, "dan")
	h.now = noon.Add(time.Hour)
	err := c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("late"); return nil })
	require.ErrorIs(t, err, ceremony.StatusError{Status: ceremony.Expired})
	require.Equal(t, ceremony.Expired, c.State().Status)
	h.log.One(t, ceremony.ActionExpire)
	h.now = noon
	h.denied(c, ceremony.ActionRecover, ceremony.StatusError{Status: ceremony.Expired}, func() error {
		return c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("the clock went back"); return nil })
	})
}

func TestAbort(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "ann", "bob", "cyd")
	require.NoError(t, c.Abort(ctx, person("ann"), "wrong site"))
	require.Equal(t, ceremony.Aborted, c.State().Status)
	require.Equal(t, "wrong site", h.log.One(t, ceremony.ActionAbort).Reason)
	h.denied(c, ceremony.ActionAbort, ceremony.StatusError{Status: ceremony.Aborted}, func() error {
		return c.Abort(ctx, person("ann"), "again")
	})
}

func TestAFunctionThatFailsHasHadItsTurn(t *testing.T) {
	h := newHall(t)
	no := errors.New("the file is not there")
	for name, use := range map[string]func(context.Context, []byte) error{
		"error": func(context.Context, []byte) error { return no },
		"panic": func(context.Context, []byte) error { panic("no") },
	} {
		c := h.open(ceremony.Recover)
		h.submit(c, "ann", "bob", "cyd")
		recovered := func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = no
				}
			}()
			return c.Recover(ctx, olga, use)
		}
		require.ErrorIs(t, recovered(), no, name)
		require.Equal(t, ceremony.Failed, c.State().Status, name)
		require.Empty(t, h.log.Unclosed(), name)
	}
}

// TestLongTextsDoNotKeepThingsOffTheRecord has texts of others that are longer than an event takes.
func TestLongTextsDoNotKeepThingsOffTheRecord(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "ann", "bob", "cyd")
	require.ErrorIs(t, c.Abort(ctx, olga, strings.Repeat("r", 2<<10+1)), opsec.ErrInvalid)
	long := errors.New(strings.Repeat("e", 100<<10))
	require.ErrorIs(t, c.Recover(ctx, olga, func(context.Context, []byte) error { return long }), long)
	require.Empty(t, h.log.Unclosed())

	h.o.Authorizer = refuses{fmt.Errorf("%w: %w", opsec.ErrDenied, long)}
	_, err := ceremony.Open(ctx, olga, h.roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "r"}, h.o)
	require.ErrorIs(t, err, long)
	events := h.log.Events(ceremony.ActionOpen)
	require.Equal(t, opsec.Denied, events[len(events)-1].Outcome)
	plan := h.plan(2, "ann", "bob")
	plan.Label = strings.Repeat("l", 100<<10)
	_, err = ceremony.Deal(ctx, olga, root, plan, h.o)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

type refuses struct{ error }

func (r refuses) Authorize(context.Context, opsec.Actor, string, opsec.Resource) error {
	return r.error
}

func TestNothingHappensUnrecorded(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "ann", "bob")
	full := errors.New("disk full")
	h.log.Fail(full)
	state, err := c.Submit(ctx, person("cyd"), h.share(h.roster, "cyd"))
	require.ErrorIs(t, err, full)
	require.Equal(t, []int{1, 2}, state.Submitted())
	h.log.Fail(nil)
	h.submit(c, "cyd")
	h.log.Fail(full)
	err = c.Recover(ctx, olga, func(context.Context, []byte) error { t.Error("unrecorded"); return nil })
	require.ErrorIs(t, err, full)
	require.Equal(t, ceremony.Ready, c.State().Status, "it can be tried again")
	_, err = ceremony.Open(ctx, olga, h.roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "r"}, h.o)
	require.ErrorIs(t, err, full)
	_, err = ceremony.Deal(ctx, olga, root, h.plan(2, "ann", "bob"), h.o)
	require.ErrorIs(t, err, full)
	h.log.Fail(nil)

	err = c.Recover(ctx, olga, func(context.Context, []byte) error { h.log.Fail(full); return nil })
	require.ErrorIs(t, err, full, "used, and the end is not recorded")
	require.Equal(t, ceremony.Done, c.State().Status)

	h.log.Fail(nil)
	c = h.open(ceremony.Renew)
	h.submit(c, "ann", "bob", "cyd")
	h.log.Fail(full)
	require.ErrorIs(t, c.Abort(ctx, olga, "stop"), full)
	require.Equal(t, ceremony.Aborted, c.State().Status, "an abort counts all the same")
}

// allow permits some actions.
type allow []string

func (a allow) Authorize(_ context.Context, _ opsec.Actor, action string, on opsec.Resource) error {
	if slices.Contains(a, action) && on.Type == "shares" && on.Tenant == opsec.Provider {
		return nil
	}
	return fmt.Errorf("not you: %w", opsec.ErrDenied)
}

func TestEveryStepIsAuthorized(t *testing.T) {
	h := newHall(t)
	steps := map[string]func(o *ceremony.Options) error{
		ceremony.ActionDeal: func(o *ceremony.Options) error {
			_, err := ceremony.Deal(ctx, olga, root, h.plan(2, "ann", "bob"), o)
			return err
		},
		ceremony.ActionOpen: func(o *ceremony.Options) error {
			_, err := ceremony.Open(ctx, olga, h.roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "r"}, o)
			return err
		},
	}
	opened := func(p ceremony.Purpose, step func(c *ceremony.Ceremony) error) func(o *ceremony.Options) error {
		return func(o *ceremony.Options) error {
			allowed := o.Authorizer
			wired := *o
			wired.Authorizer = &switching{opsec.CallerAuthorized{}}
			c, err := ceremony.Open(ctx, olga, h.roster, ceremony.Request{Purpose: p, Reason: "r"}, &wired)
			require.NoError(t, err)
			h.submit(c, "ann", "bob", "cyd")
			wired.Authorizer.(*switching).Authorizer = allowed
			return step(c)
		}
	}
	steps[ceremony.ActionSubmit] = opened(ceremony.Recover, func(c *ceremony.Ceremony) error {
		_, err := c.Submit(ctx, person("dan"), h.share(h.roster, "dan"))
		return err
	})
	steps[ceremony.ActionRecover] = opened(ceremony.Recover, func(c *ceremony.Ceremony) error {
		return c.Recover(ctx, olga, func(context.Context, []byte) error { return nil })
	})
	steps[ceremony.ActionRehearse] = opened(ceremony.Rehearse, func(c *ceremony.Ceremony) error {
		_, err := c.Rehearse(ctx, olga, []byte("asked by auditor"))
		return err
	})
	steps[ceremony.ActionRenew] = opened(ceremony.Renew, func(c *ceremony.Ceremony) error {
		_, err := c.Renew(ctx, olga, h.plan(2, "ann", "bob"))
		return err
	})
	steps[ceremony.ActionAbort] = opened(ceremony.Renew, func(c *ceremony.Ceremony) error { return c.Abort(ctx, olga, "r") })
	for action, step := range steps {
		o := *h.o
		o.Authorizer = allow{}
		before := len(h.log.Events(action))
		require.ErrorIs(t, step(&o), opsec.ErrDenied, action)
		events := h.log.Events(action)
		require.Equal(t, opsec.Denied, events[len(events)-1].Outcome, action)
		require.Greater(t, len(events), before)
		o.Authorizer = allow{action}
		require.NoError(t, step(&o), action)
	}
}

type switching struct{ opsec.Authorizer }

func TestOpenRefuses(t *testing.T) {
	h := newHall(t)
	good := ceremony.Request{Purpose: ceremony.Recover, Reason: "r"}
	for field, open := range map[string]func() error{
		"Authorizer": func() error {
			_, err := ceremony.Open(ctx, olga, h.roster, good, &ceremony.Options{Recorder: h.log})
			return err
		},
		"Recorder": func() error {
			_, err := ceremony.Open(ctx, olga, h.roster, good, &ceremony.Options{Authorizer: opsec.CallerAuthorized{}})
			return err
		},
		"options": func() error { _, err := ceremony.Deal(ctx, olga, root, ceremony.Plan{}, nil); return err },
		"roster":  func() error { _, err := ceremony.Open(ctx, olga, nil, good, h.o); return err },
		"holders": func() error {
			r := *h.roster
			r.Holders = r.Holders[1:]
			_, err := ceremony.Open(ctx, olga, &r, good, h.o)
			return err
		},
		"by":      func() error { _, err := ceremony.Open(ctx, opsec.Actor{}, h.roster, good, h.o); return err },
		"purpose": func() error { return openWith(h, ceremony.Request{Reason: "r"}) },
		"reason":  func() error { return openWith(h, ceremony.Request{Purpose: ceremony.Recover}) },
		"within": func() error {
			return openWith(h, ceremony.Request{Purpose: ceremony.Recover, Reason: "r", Within: 25 * time.Hour})
		},
	} {
		err := open()
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
	}
	h.log.None(t, ceremony.ActionOpen)
}

func openWith(h *hall, r ceremony.Request) error {
	_, err := ceremony.Open(ctx, olga, h.roster, r, h.o)
	return err
}

func TestTheSecretIsHandedOutOnceAlsoToManyAtOnce(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	var wg sync.WaitGroup
	for _, name := range []string{"ann", "bob", "cyd", "dan", "eve"} {
		for range 3 {
			wg.Go(func() { c.Submit(ctx, person(name), h.share(h.roster, name)) })
		}
	}
	wg.Wait()
	require.ElementsMatch(t, []int{1, 2, 3, 4, 5}, c.State().Submitted())
	var mu sync.Mutex
	times := 0
	for range 8 {
		wg.Go(func() {
			c.Recover(ctx, olga, func(context.Context, []byte) error {
				mu.Lock()
				defer mu.Unlock()
				times++
				return nil
			})
		})
	}
	wg.Wait()
	require.Equal(t, 1, times)
}
