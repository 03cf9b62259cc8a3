package login

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudopsec/opsec"
)

// ErrRefused is what whoever logs in may know: no. It wraps [opsec.ErrDenied].
var ErrRefused = fmt.Errorf("login: the name or the secret is wrong, or the account may not log in now: %w", opsec.ErrDenied)

// ErrBusy says that too many are logging in for this to be tried now. It is not a failure, and is said of accounts that are not
// there as of others.
var ErrBusy = errors.New("login: too busy, try again")

// Why somebody was refused, for those who operate the desk. Locks are [lockout.LockedError]s.
var (
	ErrUnknown = errors.New("login: no such account")
	ErrClosed  = errors.New("login: the account is not open")
	ErrWrong   = errors.New("login: wrong secret")
	ErrStale   = errors.New("login: the visit is over")
)

// Refusal is the error of a log-in that was refused. It prints, unwraps and marshals as [ErrRefused], whatever the reason.
type Refusal struct{ reason error }

func (*Refusal) Error() string { return ErrRefused.Error() }

// Unwrap returns [ErrRefused].
func (*Refusal) Unwrap() error { return ErrRefused }

// Reason returns why, for those who operate the desk: never show it to who logs in.
func (r *Refusal) Reason() error { return r.reason }

// Format prints the text of [ErrRefused] for each verb.
func (r *Refusal) Format(f fmt.State, _ rune) { io.WriteString(f, r.Error()) }

// LogValue implements [slog.LogValuer].
func (r *Refusal) LogValue() slog.Value { return slog.StringValue(r.Error()) }

// MarshalText implements [encoding.TextMarshaler].
func (r *Refusal) MarshalText() ([]byte, error) { return []byte(r.Error()), nil }
