package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxSkew is how far ahead of the reader's clock a cosignature may be and still count; and how far behind, where a new
// one was asked for.
const MaxSkew = 5 * time.Minute

// ErrUntrusted says that something is well formed, but not proven: not signed by whom the policy trusts, or not part of
// what they signed. The errors that wrap it are [*UnsignedError], [*SignatureError], [*QuorumError] and [*InclusionError].
var ErrUntrusted = errors.New("not proven")

// UnsignedError says that no log of the policy that has this origin has signed.
type UnsignedError struct{ Origin string }

// Error names the origin.
func (e *UnsignedError) Error() string {
	return fmt.Sprintf("checkpoint: no key that the policy has for %q signed it: %v", e.Origin, ErrUntrusted)
}

// Unwrap returns [ErrUntrusted].
func (e *UnsignedError) Unwrap() error { return ErrUntrusted }

// SignatureError says that a signature of a key in the policy does not verify. Nobody who is honest makes such a note.
type SignatureError struct {
	Name string // of the key
	Hash uint32 // its id
}

// Error names the key.
func (e *SignatureError) Error() string {
	return fmt.Sprintf("checkpoint: signature of %s+%08x does not verify: %v", e.Name, e.Hash, ErrUntrusted)
}

// Unwrap returns [ErrUntrusted].
func (e *SignatureError) Unwrap() error { return ErrUntrusted }

// QuorumError says that the log has signed, but not enough witnesses have.
type QuorumError struct {
	Quorum   string          // its name in the policy
	Verified Verified        // what has been verified all the same
	Failed   []*WitnessError // of [Gatherer.Gather]: what became of the witnesses that were asked
}

// Error names the quorum, who cosigned, and what the others said.
func (e *QuorumError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checkpoint: quorum %q does not stand for %q at size %d (cosigned by:", e.Quorum, e.Verified.Origin, e.Verified.Size)
	for _, c := range e.Verified.Cosigned {
		b.WriteString(" " + c.Name)
	}
	for _, c := range e.Verified.Early {
		fmt.Fprintf(&b, "; %s is of the future, %s", c.Name, c.Time.Format(time.RFC3339))
	}
	for _, f := range e.Failed {
		fmt.Fprintf(&b, "; %v", f)
	}
	return fmt.Sprintf("%s): %v", b.String(), ErrUntrusted)
}

// Unwrap returns [ErrUntrusted] and the errors of the witnesses.
func (e *QuorumError) Unwrap() []error {
	errs := []error{ErrUntrusted}
	for _, f := range e.Failed {
		errs = append(errs, f)
	}
	return errs
}

// Cosignature is what a witness says: at this time, this was the largest tree of the log that it had seen.
type Cosignature struct {
	Name string    // of the witness in the policy
	Time time.Time // UTC, whole seconds; the latest when a witness has signed more than once
}

// Verified is a checkpoint whose signatures have been verified.
type Verified struct {
	Checkpoint
	Cosigned []Cosignature // what counts, in the order of the policy
	Early    []Cosignature // what does not, being more than [MaxSkew] ahead of the reader's clock
}

// Open verifies a signed checkpoint at the time now. The error is nil only when a log of the policy signed it under that
// origin and the quorum stands. A [*QuorumError] holds what is verified nonetheless, for those who are still
// gathering; other errors wrap [ErrUntrusted], or [opsec.ErrInvalid] for a malformed note or policy.
//
// It costs one Ed25519 verification for each signature of a known key, and little else.
func (p Policy) Open(signed []byte, now time.Time) (Verified, error) {
	r, err := p.trusted()
	if err != nil {
		return Verified{}, err
	}
	return r.open(signed, now)
}

func (r *rules) open(signed []byte, now time.Time) (Verified, error) {
	n, err := split(signed)
	if err != nil {
		return Verified{}, err
	}
	c, err := Parse(n.text)
	if err != nil {
		return Verified{}, err
	}
	v, ours, seen := Verified{Checkpoint: c}, false, map[string]bool{}
	latest, early := map[string]int64{}, map[string]int64{}
	for _, l := range n.lines {
		k, isLog := r.logs[l.id]
		w, isWitness := r.witnesses[l.id]
		if isWitness {
			k = w.key
		}
		switch {
		case !isLog && !isWitness:
			continue
		case !k.Verify([]byte(n.text), l.sig):
			return Verified{}, &SignatureError{l.name, l.hash}
		case isLog:
			ours = ours || l.name == c.Origin
			continue
		}
		at, _ := cosignatureTime(l.sig)
		if isEarly(at, now) {
			early[w.as] = max(early[w.as], at)
			continue
		}
		latest[w.as], seen[w.as] = max(latest[w.as], at), true
	}
	if !ours {
		return Verified{}, &UnsignedError{c.Origin}
	}
	for _, name := range r.order {
		if at, ok := latest[name]; ok {
			v.Cosigned = append(v.Cosigned, Cosignature{name, time.Unix(at, 0).UTC()})
		} else if at, ok := early[name]; ok {
			v.Early = append(v.Early, Cosignature{name, time.Unix(at, 0).UTC()})
		}
	}
	if !r.stands(seen) {
		return Verified{}, &QuorumError{Quorum: r.quorum, Verified: v}
	}
	return v, nil
}

// isEarly reports whether a cosignature's time, in seconds since 1970, is too far ahead. It compares seconds: time.Time
// cannot hold all that a cosignature can.
func isEarly(at int64, now time.Time) bool { return at > now.Unix()+int64(MaxSkew/time.Second) }

// isLate reports whether it is as far behind.
func isLate(at int64, now time.Time) bool { return at < now.Unix()-int64(MaxSkew/time.Second) }
