package claim

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
)

// Source is where somebody states what is so: another room of this library, or another system.
type Source[T any] interface {
	// Statements yields what happened from a moment on until before another, and what was open or in force in between, however
	// old it is; in any order. More does no harm.
	Statements(ctx context.Context, from, until time.Time) iter.Seq2[T, error]
}

// List is a source of statements that are at hand.
type List[T any] []T

// Statements implements [Source].
func (l List[T]) Statements(context.Context, time.Time, time.Time) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range l {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// Sources are those who state something. Of what a nil one would state nothing is known.
type Sources struct {
	Encryption   Source[Use]
	Backups      Source[Backup]
	Patches      Source[Patch]
	Deletions    Source[Deletion]
	Audits       Source[Audit]
	Certificates Source[Certificate]
	Documents    Source[Document]
	Proofs       Source[Proof] // of what is promised in words
}

// Use states how some data is encrypted in a place.
type Use struct {
	Data      string    `json:"data"` // as in the agreement
	Phase     sla.Phase `json:"phase"`
	At        string    `json:"at"`                  // which system, or connection
	Algorithm string    `json:"algorithm,omitempty"` // empty: in clear
	KeyOwner  string    `json:"keyOwner,omitempty"`  // "provider", "customer" or "third-party"
	Seen      time.Time `json:"seen"`                // when it was so
	Evidence  string    `json:"evidence"`            // digest, or where to find it, as in all statements
}

// Backup states which recovery points there are of a system, and which restores were made.
type Backup struct {
	Source   string    `json:"source"`         // what is backed up
	Since    time.Time `json:"since,omitzero"` // when it began to exist; zero: before the period
	Until    time.Time `json:"until,omitzero"` // when it ceased to; zero: it has not
	Points   []Point   `json:"points,omitempty"`
	Restores []Restore `json:"restores,omitempty"`
	Evidence string    `json:"evidence"`
}

// Point is a recovery point. Leave out what cannot be restored, such as one whose parent is lost.
type Point struct {
	ID     string    `json:"id"`
	Taken  time.Time `json:"taken"` // of what moment the data is
	Copies []Copy    `json:"copies,omitempty"`
}

// Copy is where a point lies.
type Copy struct {
	OffSite bool      `json:"offSite,omitempty"`
	Durable time.Time `json:"durable,omitzero"` // since when it can be restored from there; zero: not yet
	Gone    time.Time `json:"gone,omitzero"`    // deleted, or found damaged; zero: it is there
}

// Restore is a recovery from a backup, as a test or in earnest.
type Restore struct {
	ID       string        `json:"id"`
	Ended    time.Time     `json:"ended"`
	Took     time.Duration `json:"took"` // in nanoseconds
	Passed   bool          `json:"passed"`
	Evidence string        `json:"evidence,omitempty"` // empty: that of the backup
}

// Patch states when a patch came to a system.
type Patch struct {
	ID       string    `json:"id"`
	System   string    `json:"system,omitempty"`
	Scope    string    `json:"scope,omitempty"` // layer or service, as in the agreement; empty: any
	Released time.Time `json:"released"`
	Applied  time.Time `json:"applied,omitzero"` // zero: not yet
	Evidence string    `json:"evidence"`
}

// Deletion states how data of a resource went.
type Deletion struct {
	Resource    string    `json:"resource"`
	Ordered     time.Time `json:"ordered"`              // by the customer, or the contract's end
	Deleted     time.Time `json:"deleted,omitzero"`     // zero: not yet
	Method      string    `json:"method,omitempty"`     // as in the agreement
	Reused      time.Time `json:"reused,omitzero"`      // when another customer was given the resource; zero: it was not
	Certificate string    `json:"certificate,omitzero"` // digest of what the customer got
	Evidence    string    `json:"evidence"`
}

// Audit states that an audit was held.
type Audit struct {
	ID        string    `json:"id"`
	By        string    `json:"by"` // "internal" or "third-party"
	Scope     []string  `json:"scope,omitempty"`
	Closed    time.Time `json:"closed"`
	Published time.Time `json:"published,omitzero"` // when customers could see the results; zero: not yet
	Evidence  string    `json:"evidence"`
}

// Certificate states that a certificate is held.
type Certificate struct {
	Name      string    `json:"name"` // as in the agreement
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`              // it expires
	Withdrawn time.Time `json:"withdrawn,omitzero"` // zero: it was not
	Evidence  string    `json:"evidence"`
}

// Document states that a document can be viewed or downloaded.
type Document struct {
	Name     string    `json:"name"` // as in the agreement
	Format   string    `json:"format"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until,omitzero"` // zero: it still can
	Evidence string    `json:"evidence"`
}

// Proof states that somebody has looked at a measure that is promised in words.
type Proof struct {
	Measure  string    `json:"measure"` // path in the agreement, such as "clause.measures.traffic"
	At       time.Time `json:"at"`
	Passed   bool      `json:"passed"`
	Evidence string    `json:"evidence"`
}

// MaxStatements is how many a source may yield, with points and copies.
const MaxStatements = 10_000_000

// maxText is how long what names something in a statement may be.
const maxText = 1000

// collect reads a source. The second result is false when there is none.
func collect[T interface{ check() (int, error) }](ctx context.Context, what string, from Source[T], since, until time.Time) ([]T, bool, error) {
	if from == nil {
		return nil, false, nil
	}
	var list []T
	size := 0
	for x, err := range from.Statements(ctx, since, until) {
		n := 0
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			n, err = x.check()
		}
		if size += n; err == nil && size > MaxStatements {
			err = fmt.Errorf("more than %d: %w", MaxStatements, opsec.ErrInvalid)
		}
		if err != nil {
			return nil, false, fmt.Errorf("claim: %s[%d]: %w", what, len(list), err)
		}
		list = append(list, x)
	}
	return list, true, context.Cause(ctx)
}

// sane refuses a statement without evidence, without what it is about, or with times that cannot be. Times come in pairs of a
// name and a value; the first is needed.
func sane(evidence, about string, names []string, times ...time.Time) error {
	if evidence == "" || about == "" || len(evidence) > maxText || len(about) > maxText {
		return fmt.Errorf("want evidence, and what it is about, of 1 to %d bytes: %w", maxText, opsec.ErrInvalid)
	}
	for i, t := range times {
		if t.IsZero() && i > 0 {
			continue
		}
		if y := t.UTC().Year(); y < 1900 || y > 9999 {
			return fmt.Errorf("%s: want a time from 1900 to 9999: %w", names[i], opsec.ErrInvalid)
		}
	}
	return nil
}

// after refuses an end before a beginning.
func after(name string, from, until time.Time) error {
	if !until.IsZero() && until.Before(from) {
		return fmt.Errorf("%s: before it began: %w", name, opsec.ErrInvalid)
	}
	return nil
}

func (u Use) check() (int, error) {
	return 1, sane(u.Evidence, u.Data, []string{"seen"}, u.Seen)
}

func (b Backup) check() (int, error) {
	size := 1 + len(b.Points) + len(b.Restores)
	if err := sane(b.Evidence, b.Source, []string{"", "since", "until"}, time.Unix(0, 0), b.Since, b.Until); err != nil {
		return 0, err
	}
	if err := after("until", b.Since, b.Until); err != nil {
		return 0, err
	}
	for i, p := range b.Points {
		size += len(p.Copies)
		err := sane(b.Evidence, p.ID, []string{"taken"}, p.Taken)
		for _, c := range p.Copies {
			if err == nil {
				err = sane(b.Evidence, p.ID, []string{"taken", "durable", "gone"}, p.Taken, c.Durable, c.Gone)
			}
			if err == nil {
				err = after("durable", p.Taken, c.Durable)
			}
			if err == nil {
				err = after("gone", c.Durable, c.Gone)
			}
		}
		if err != nil {
			return 0, fmt.Errorf("points[%d]: %w", i, err)
		}
	}
	for i, r := range b.Restores {
		err := sane(b.Evidence, r.ID, []string{"ended"}, r.Ended)
		if err == nil && r.Took < 0 {
			err = fmt.Errorf("took: negative: %w", opsec.ErrInvalid)
		}
		if err != nil {
			return 0, fmt.Errorf("restores[%d]: %w", i, err)
		}
	}
	return size, nil
}

func (p Patch) check() (int, error) {
	err := sane(p.Evidence, p.ID, []string{"released", "applied"}, p.Released, p.Applied)
	return 1, err // a patch may come before its release
}

func (d Deletion) check() (int, error) {
	err := sane(d.Evidence, d.Resource, []string{"ordered", "deleted", "reused"}, d.Ordered, d.Deleted, d.Reused)
	if err == nil {
		err = after("deleted", d.Ordered, d.Deleted)
	}
	return 1, err
}

func (a Audit) check() (int, error) {
	err := sane(a.Evidence, a.ID, []string{"closed", "published"}, a.Closed, a.Published)
	if err == nil && a.By != "internal" && a.By != "third-party" {
		err = fmt.Errorf("by: want internal or third-party: %w", opsec.ErrInvalid)
	}
	return 1, err
}

func (c Certificate) check() (int, error) {
	err := sane(c.Evidence, c.Name, []string{"from", "until", "withdrawn"}, c.From, c.Until, c.Withdrawn)
	if err == nil && !c.Until.After(c.From) {
		err = fmt.Errorf("until: not after from: %w", opsec.ErrInvalid)
	}
	return 1, err
}

func (d Document) check() (int, error) {
	err := sane(d.Evidence, d.Name, []string{"from", "until"}, d.From, d.Until)
	if err == nil {
		err = after("until", d.From, d.Until)
	}
	return 1, err
}

func (p Proof) check() (int, error) {
	return 1, sane(p.Evidence, p.Measure, []string{"at"}, p.At)
}
