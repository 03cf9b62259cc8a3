package accounts

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Sources are the sequences that an audit reads, each in the order that its row names. A nil one was not looked at: the
// kinds of findings that need it are listed in [Summary.NotTested]. An error that a sequence yields ends the audit. What
// a row refers to must stay as it is until the audit has ended: sequences are read some rows ahead.
type Sources struct {
	Accounts     iter.Seq2[Account, error]
	Entitlements iter.Seq2[Entitlement, error]
	Uses         iter.Seq2[Use, error]
	SignIns      iter.Seq2[SignIn, error]
	People       iter.Seq2[Person, error]
	Holdings     iter.Seq2[Holding, error]

	// Since is the start of the span that Uses and SignIns cover, up to now. Zero: from the very beginning.
	Since time.Time
	// Key, of 32 random bytes at least, digests the names of accounts that do not exist. Without it InventedAttempt is
	// not tested.
	Key []byte
	// Summary, unless nil, is filled in when the sequence of findings ends.
	Summary *Summary
}

// Summary says what an audit has looked at.
type Summary struct {
	Rows      map[string]int64 `json:"rows"`              // read, for each sequence that was given
	Tested    []Kind           `json:"tested"`            // all accounts were judged for these
	NotTested []NotTested      `json:"not_tested"`        // and not, or not all, for these
	Findings  map[Kind]int64   `json:"findings"`          // how many of each kind
	Attempts  Totals           `json:"attempts,omitzero"` // with accounts that do not exist
}

// NotTested is a kind of finding that an audit could not judge, for all accounts or for some.
type NotTested struct {
	Kind Kind   `json:"kind"`
	Why  string `json:"why"`
}

// OrderError says that a sequence is not sorted, or holds a row twice. It wraps [opsec.ErrInvalid].
type OrderError struct {
	Sequence string // "accounts", "entitlements", "uses", "sign-ins", "people" or "holdings"
	Position int64  // of the row that should have come earlier, from 1
	Ref      string // of that row
	Twice    bool   // it is there twice
}

// Error implements error. It names no account: it could be one that somebody typed.
func (e *OrderError) Error() string {
	what := "belongs before the row before it"
	if e.Twice {
		what = "is about the same as the row before it"
	}
	return fmt.Sprintf("accounts: %s: %s %s: %v", e.Sequence, rowAt(e.Position, e.Ref), what, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *OrderError) Unwrap() error { return opsec.ErrInvalid }

// Audit reads the sequences once, in step, and yields what is wrong at the time now: the accounts in their order, then
// the origins of attempts with accounts that do not exist, then the people. The first error is yielded and ends it: what
// wraps [opsec.ErrInvalid] is a policy, a time, a row or an order against the rules (an [*OrderError]). What was found
// before may be due to rows that came too late, so discard it.
//
// Memory does not grow with the number of rows: at most 64 of each sequence, the permissions of one main account (65536),
// the sessions of one account (256), a million permissions of roles taken together, and what Policy.Origins allows.
func (p Policy) Audit(s Sources, now time.Time) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		sum := Summary{Rows: map[string]int64{}, Findings: map[Kind]int64{}}
		a, err := newAudit(p, s, now, yield, &sum)
		if err == nil {
			defer a.stop() // once more where the reader has panicked
			err = a.run()
			a.stop()
		}
		sum.judge(p, s, a, err)
		if s.Summary != nil {
			*s.Summary = sum
		}
		if err != nil && err != errEnough {
			yield(Finding{}, err)
		}
	}
}

// errEnough says that nobody reads on.
var errEnough = errors.New("the findings were not read to their end")

// audit is one run.
type audit struct {
	p     Policy
	now   time.Time
	since time.Time
	yield func(Finding, error) bool
	sum   *Summary
	ended error
	skip  map[Kind]bool

	accounts     *cursor[Account]
	entitlements *cursor[Entitlement]
	uses         *cursor[Use]
	signIns      *cursor[SignIn]
	people       *cursor[Person]
	holdings     *cursor[Holding]

	from      struct{ use, review, permission time.Time } // what is older is too old
	conforms  func(string) bool
	baselines baselines
	rare      map[string]bool
	spanned   bool // uses cover Policy.UnusedAfter
	watched   bool // uses or sign-ins cover Policy.DormantAfter
	attempts  *Attempts
	main      mainAccount
	sessions  sessions
	piles     piles
	mains     pile           // of the person that is judged
	untold    map[Kind]int64 // accounts that were not judged for a kind, where the others were
}

func newAudit(p Policy, s Sources, now time.Time, yield func(Finding, error) bool, sum *Summary) (*audit, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	switch {
	case now.IsZero():
		return nil, fmt.Errorf("accounts: the time of the audit is not set: %w", opsec.ErrInvalid)
	case s.Since.After(now):
		return nil, fmt.Errorf("accounts: Sources.Since is later than the audit: %w", opsec.ErrInvalid)
	}
	p = p.withDefaults()
	a := &audit{
		p: p, now: now, since: s.Since, yield: yield, sum: sum, skip: map[Kind]bool{}, rare: map[string]bool{},
		accounts: newAccounts(), entitlements: newEntitlements(), uses: newUses(), signIns: newSignIns(),
		people: newPeople(), holdings: newHoldings(),
		baselines: newBaselines(p.Roles), untold: map[Kind]int64{},
		spanned: s.Since.IsZero() || !s.Since.After(now.Add(-p.UnusedAfter)),
	}
	for _, k := range p.Skip {
		a.skip[k] = true
	}
	for _, permission := range p.Rare {
		a.rare[permission] = true
	}
	a.from.use, a.from.review, a.from.permission = now.Add(-p.DormantAfter), now.Add(-p.ReviewAfter), now.Add(-p.UnusedAfter)
	a.watched = (s.Uses != nil || s.SignIns != nil) && (s.Since.IsZero() || !s.Since.After(a.from.use))
	if a.conforms, _ = p.naming(); a.skip[Misnamed] {
		a.conforms = func(string) bool { return true }
	}
	a.sessions = sessions{longest: p.MaxSession, places: p.Places, listed: p.Listed, since: s.Since}
	if s.Key != nil {
		var err error
		if a.attempts, err = p.Attempts(s.Key); err != nil {
			return nil, err
		}
	}
	a.accounts.start(s.Accounts)
	if s.Accounts != nil { // all that follow would be of accounts that do not exist
		a.entitlements.start(s.Entitlements)
		a.uses.start(s.Uses)
		a.signIns.start(s.SignIns)
	}
	a.people.start(s.People)
	a.holdings.start(s.Holdings)
	return a, nil
}

func (a *audit) stop() {
	for _, stop := range []func(){
		a.accounts.stop, a.entitlements.stop, a.uses.stop, a.signIns.stop, a.people.stop, a.holdings.stop,
	} {
		if stop != nil {
			stop()
		}
	}
	rows := a.sum.Rows
	for _, read := range []struct {
		name  string
		given bool
		rows  int64
	}{
		{a.accounts.name, a.accounts.next != nil, a.accounts.position},
		{a.entitlements.name, a.entitlements.next != nil, a.entitlements.position},
		{a.uses.name, a.uses.next != nil, a.uses.position},
		{a.signIns.name, a.signIns.next != nil, a.signIns.position},
		{a.people.name, a.people.next != nil, a.people.position},
		{a.holdings.name, a.holdings.next != nil, a.holdings.position},
	} {
		if read.given {
			rows[read.name] = read.rows
		}
	}
}

// run merges the sequences until one has an error, or the findings are not read on.
func (a *audit) run() error {
	for {
		if err := a.trouble(); err != nil {
			return err
		}
		key, more := a.nextKey()
		if !more {
			break
		}
		if row := a.accounts.row; row != nil && row.Key == key {
			a.registered(row)
			a.accounts.advance()
		} else {
			a.unregistered(key)
		}
	}
	if a.attempts != nil && a.signIns.next != nil {
		a.sum.Attempts = a.attempts.Totals()
		for f := range a.attempts.Findings() {
			a.tell(f)
		}
	}
	for a.holdings.row != nil && a.trouble() == nil {
		a.holder()
	}
	for a.people.row != nil && a.trouble() == nil {
		a.people.advance() // to its end: it may still be out of order
	}
	return a.trouble()
}

// trouble returns the first error. Nothing may be judged by rows that are missing, so it is asked before findings are
// told.
func (a *audit) trouble() error {
	switch {
	case a.ended != nil:
		return a.ended
	case a.accounts.err != nil:
		return a.accounts.err
	case a.entitlements.err != nil:
		return a.entitlements.err
	case a.uses.err != nil:
		return a.uses.err
	case a.signIns.err != nil:
		return a.signIns.err
	case a.people.err != nil:
		return a.people.err
	}
	return a.holdings.err
}

// nextKey is the least of those that come next.
func (a *audit) nextKey() (least Key, more bool) {
	if r := a.accounts.row; r != nil {
		least, more = r.Key, true
	}
	if r := a.entitlements.row; r != nil && (!more || r.Key != least && r.Key.Compare(least) < 0) {
		least, more = r.Key, true
	}
	if r := a.uses.row; r != nil && (!more || r.Key != least && r.Key.Compare(least) < 0) {
		least, more = r.Key, true
	}
	if r := a.signIns.row; r != nil && (!more || r.Key != least && r.Key.Compare(least) < 0) {
		least, more = r.Key, true
	}
	return least, more
}

// tell yields a finding.
func (a *audit) tell(f Finding) {
	if a.skip[f.Kind] || a.trouble() != nil {
		return
	}
	a.sum.Findings[f.Kind]++
	if !a.yield(f, nil) {
		a.ended = errEnough
	}
}

// judge fills in what was tested and what was not.
func (sum *Summary) judge(p Policy, s Sources, a *audit, err error) {
	have := []need{}
	for _, h := range []struct {
		need need
		have bool
	}{
		{needAccounts, s.Accounts != nil}, {needEntitlements, s.Entitlements != nil}, {needUses, s.Uses != nil},
		{needSignIns, s.SignIns != nil}, {needPeople, s.People != nil}, {needHoldings, s.Holdings != nil},
		{needRoles, len(p.Roles) > 0}, {needKey, s.Key != nil}, {needSpan, a != nil && a.spanned},
	} {
		if h.have {
			have = append(have, h.need)
		}
	}
	for i := range kindRules {
		r := &kindRules[i]
		missing := r.lacks(have)
		switch {
		case r.kind == Unjudged:
			continue
		case err != nil:
			sum.not(r.kind, "the audit ended early: "+err.Error())
		case slices.Contains(p.Skip, r.kind):
			sum.not(r.kind, "left out by the policy")
		case missing != nil:
			words := make([]string, len(missing))
			for i, n := range missing {
				words[i] = string(n)
			}
			sum.not(r.kind, "not given: "+strings.Join(words, ", "))
		case a.untold[r.kind] > 0:
			sum.not(r.kind, fmt.Sprintf("%d accounts were not judged for it, or not fully", a.untold[r.kind]))
		case r.kind == InventedAttempt && sum.Attempts.Replaced > 0:
			sum.not(r.kind, fmt.Sprintf("%d origins gave way to others: see Policy.Origins", sum.Attempts.Replaced))
		default:
			sum.Tested = append(sum.Tested, r.kind)
		}
	}
}

func (sum *Summary) not(k Kind, why string) { sum.NotTested = append(sum.NotTested, NotTested{k, why}) }
