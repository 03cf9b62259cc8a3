package accounts

import (
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
)

// Sources are the sequences that an audit reads, each in the order that its row names. A nil one was not looked at: the
// kinds of findings that need it are listed in [Summary.NotTested]. An error that a sequence yields ends the audit. What
// a row refers to must stay as it is until the audit has ended: sequences are read some rows ahead.
type Sources struct {
	Accounts     iter.Seq2[Account, error] // required
	Entitlements iter.Seq2[Entitlement, error]
	Uses         iter.Seq2[Use, error]
	SignIns      iter.Seq2[SignIn, error]
	People       iter.Seq2[Person, error]
	Holdings     iter.Seq2[Holding, error]

	// Since is the start of the span that Uses and SignIns cover to the last event. Zero: from the very beginning.
	Since time.Time
	// Key, of 32 random bytes at least, digests the names of accounts that do not exist. Without it InventedAttempt is
	// not tested.
	Key []byte
	// Summary, unless nil, is filled in when the sequence of findings ends.
	Summary *Summary
}

// Summary says what an audit has looked at.
type Summary struct {
	Rows      map[string]int64 `json:"rows"`       // read, for each sequence that was given
	Tested    []Kind           `json:"tested"`     // all accounts were judged for these
	NotTested []NotTested      `json:"not_tested"` // and not, or not all, for these
	Findings  map[Kind]int64   `json:"findings"`
	Complete  bool             `json:"complete"` // every sequence was read to its end without error
}

// NotTested is a kind of finding that an audit could not judge, for all accounts or for some.
type NotTested struct {
	Kind Kind   `json:"kind"`
	Why  string `json:"why"`
}

// OrderError says that a sequence is not sorted, or holds a row twice. It wraps [opsec.ErrInvalid].
type OrderError struct {
	Sequence string // "accounts", "entitlements", ...
	Position int64  // of the row that should have come earlier, from 1
	Twice    bool   // it equals the row before it
}

// Error implements error. It names no account: it could be one that somebody typed.
func (e *OrderError) Error() string {
	what := "belongs before the row before it"
	if e.Twice {
		what = "is there twice"
	}
	return fmt.Sprintf("accounts: %s: row %d %s: %v", e.Sequence, e.Position, what, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *OrderError) Unwrap() error { return opsec.ErrInvalid }
