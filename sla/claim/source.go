package claim

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
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

// Sources are those who state something. Of what a nil one would state nothing is known. What they state is of the customer of the
// agreement, or of all: whoever wires them sees to it, and a statement that names a tenant who is not a customer of the
// agreement is an error.
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
	Tenant    string    `json:"tenant,omitempty"` // whose data it is; empty: not said
	Data      string    `json:"data"`             // as in the agreement
	Phase     sla.Phase `json:"phase"`
	At        string    `json:"at"`                  // which system, or connection
	Algorithm string    `json:"algorithm,omitempty"` // empty: in clear
	KeyOwner  string    `json:"keyOwner,omitempty"`  // "provider", "customer" or "third-party"; empty: not said
	Seen      time.Time `json:"seen"`                // when it was so: for a place, one look in the period will do
	Evidence  string    `json:"evidence"`            // digest, or where to find it, as in all statements
}

// Backup states which recovery points there are of a system, and which restores were made.
type Backup struct {
	Tenant   string    `json:"tenant,omitempty"` // whose it is; empty: not said
	Source   string    `json:"source"`           // what is backed up
	Since    time.Time `json:"since,omitzero"`   // when it began to exist; zero: before the period
	Until    time.Time `json:"until,omitzero"`   // when it ceased to; zero: it has not
	Seen     time.Time `json:"seen"`             // until when all of this is known, and nothing is in it that came later
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
	Tenant      string    `json:"tenant,omitempty"` // whose data it was; empty: not said
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
	By        string    `json:"by"`    // "internal" or "third-party"
	Scope     []string  `json:"scope"` // what of that of the agreement; one at least
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
	Seen      time.Time `json:"seen"`               // until when this is known
	Evidence  string    `json:"evidence"`
}

// Document states that a document can be viewed or downloaded.
type Document struct {
	Name     string    `json:"name"` // as in the agreement
	Format   string    `json:"format"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until,omitzero"` // zero: it still can
	Seen     time.Time `json:"seen"`           // until when this is known
	Evidence string    `json:"evidence"`
}

// Proof states that somebody has looked at a measure that is promised in words, or at another promise.
type Proof struct {
	Measure  string    `json:"measure"` // path of the promise, such as "clause.measures.traffic"
	At       time.Time `json:"at"`
	Passed   bool      `json:"passed"`
	Evidence string    `json:"evidence"`
}

// MaxStatements is how many a source may yield, with points and copies.
const MaxStatements = 10_000_000

// maxText is how long a text in a statement may be.
const maxText = 1000

// collect reads a source, from so long before the period on. The second result is false when there is none.
func collect[T interface{ check() (int, error) }](c *check, what string, from Source[T], back time.Duration) ([]T, bool, error) {
	if from == nil {
		return nil, false, nil
	}
	var list []T
	size := 0
	for x, err := range from.Statements(c.ctx, c.from.Add(-back), c.end) {
		n := 0
		if err == nil {
			err = context.Cause(c.ctx)
		}
		if err == nil {
			n, err = x.check()
		}
		if of, ok := any(x).(interface{ whose() string }); ok && err == nil && of.whose() != "" && !c.customer(of.whose()) {
			err = fmt.Errorf("tenant: %.100q is no customer of the agreement: %w", of.whose(), opsec.ErrInvalid)
		}
		if size += n; err == nil && size > MaxStatements {
			err = fmt.Errorf("more than %d: %w", MaxStatements, opsec.ErrInvalid)
		}
		if err != nil {
			return nil, false, fmt.Errorf("claim: %s[%d]: %w", what, len(list), err)
		}
		list = append(list, x)
	}
	return list, true, context.Cause(c.ctx)
}

func (u Use) whose() string      { return u.Tenant }
func (b Backup) whose() string   { return b.Tenant }
func (d Deletion) whose() string { return d.Tenant }

// customer reports whether a tenant is a party to the agreement: only customers have one.
func (c *check) customer(tenant string) bool {
	return slices.ContainsFunc(c.a.Parties, func(p sla.Party) bool { return p.Tenant == tenant })
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

// short refuses long texts.
func short(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxText {
			return fmt.Errorf("a text of %d bytes: want at most %d: %w", len(t), maxText, opsec.ErrInvalid)
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
	return 1, cmp.Or(sane(u.Evidence, u.Data, []string{"seen"}, u.Seen), short(string(u.Phase), u.At, u.Algorithm, u.KeyOwner))
}

func (b Backup) check() (int, error) {
	size := 1 + len(b.Points) + len(b.Restores)
	if err := cmp.Or(sane(b.Evidence, b.Source, []string{"seen", "since", "until"}, b.Seen, b.Since, b.Until), after("until", b.Since, b.Until),
		b.known("since", b.Since), b.known("until", b.Until)); err != nil {
		return 0, err
	}
	ids := make(map[string]bool, len(b.Points))
	for i, p := range b.Points {
		size += len(p.Copies)
		err := cmp.Or(sane(b.Evidence, p.ID, []string{"taken"}, p.Taken), b.known("taken", p.Taken))
		if err == nil && ids[p.ID] {
			err = fmt.Errorf("id: %.100q is there twice: %w", p.ID, opsec.ErrInvalid)
		}
		ids[p.ID] = true
		for _, c := range p.Copies {
			err = cmp.Or(err, sane(b.Evidence, p.ID, []string{"taken", "durable", "gone"}, p.Taken, c.Durable, c.Gone),
				after("durable", p.Taken, c.Durable), after("gone", c.Durable, c.Gone), b.known("durable", c.Durable), b.known("gone", c.Gone))
		}
		if err != nil {
			return 0, fmt.Errorf("points[%d]: %w", i, err)
		}
	}
	for i, r := range b.Restores {
		err := cmp.Or(sane(b.Evidence, r.ID, []string{"ended"}, r.Ended), short(r.Evidence), b.known("ended", r.Ended))
		if err == nil && r.Took < 0 {
			err = fmt.Errorf("took: negative: %w", opsec.ErrInvalid)
		}
		if err != nil {
			return 0, fmt.Errorf("restores[%d]: %w", i, err)
		}
	}
	return size, nil
}

// known refuses what came after the backups were seen.
func (b Backup) known(name string, t time.Time) error {
	if t.After(b.Seen) {
		return fmt.Errorf("%s: after it was seen: %w", name, opsec.ErrInvalid)
	}
	return nil
}

func (p Patch) check() (int, error) {
	// A patch may come before its release.
	return 1, cmp.Or(sane(p.Evidence, p.ID, []string{"released", "applied"}, p.Released, p.Applied), short(p.System, p.Scope))
}

func (d Deletion) check() (int, error) {
	return 1, cmp.Or(sane(d.Evidence, d.Resource, []string{"ordered", "deleted", "reused"}, d.Ordered, d.Deleted, d.Reused),
		after("deleted", d.Ordered, d.Deleted), short(d.Method, d.Certificate))
}

func (a Audit) check() (int, error) {
	err := cmp.Or(sane(a.Evidence, a.ID, []string{"closed", "published"}, a.Closed, a.Published), short(a.Scope...))
	switch {
	case err != nil:
	case a.By != "internal" && a.By != "third-party":
		err = fmt.Errorf("by: want internal or third-party: %w", opsec.ErrInvalid)
	case len(a.Scope) == 0:
		err = fmt.Errorf("scope: want what was audited: %w", opsec.ErrInvalid)
	}
	return 1 + len(a.Scope), err
}

func (c Certificate) check() (int, error) {
	err := cmp.Or(sane(c.Evidence, c.Name, []string{"seen"}, c.Seen),
		sane(c.Evidence, c.Name, []string{"from", "until", "withdrawn"}, c.From, c.Until, c.Withdrawn))
	if err == nil && !c.Until.After(c.From) {
		err = fmt.Errorf("until: not after from: %w", opsec.ErrInvalid)
	}
	return 1, err
}

func (d Document) check() (int, error) {
	return 1, cmp.Or(sane(d.Evidence, d.Name, []string{"seen"}, d.Seen), sane(d.Evidence, d.Name, []string{"from", "until"}, d.From, d.Until),
		after("until", d.From, d.Until), short(d.Format))
}

func (p Proof) check() (int, error) {
	return 1, sane(p.Evidence, p.Measure, []string{"at"}, p.At)
}
